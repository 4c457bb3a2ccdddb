package amqp

import (
	"sync/atomic"
	"time"
)

// mostBusy is how long amqp091-go's reader may be busy with what it has read at once. After 5 s in which a listener has taken
// nothing the library drops what it was to tell it (its notifyTimeout), and goes on. A basic.return that is dropped would leave
// a message that went nowhere confirmed.
const mostBusy = 4 * time.Second

// stalls tells when the reader was busy for longer, because this process, or the machine, stood still: then no answer is to
// be trusted.
type stalls struct {
	born  time.Time
	since atomic.Int64 // when the reader began with what it has read, after born; 0: it waits for more
	over  atomic.Int64 // how many there have been
}

// begin notes that the reader has read something.
func (s *stalls) begin() { s.since.Store(int64(time.Since(s.born))) }

// end notes that it is done with it.
func (s *stalls) end() {
	if s.busy() >= mostBusy {
		s.over.Add(1)
	}
	s.since.Store(0)
}

// busy is for how long the reader has been busy with what it read last; 0 if it waits for more.
func (s *stalls) busy() time.Duration {
	since := s.since.Load()
	if since == 0 {
		return 0
	}
	return time.Since(s.born) - time.Duration(since)
}

// count is how many stalls there have been.
func (s *stalls) count() int64 { return s.over.Load() }

// moreThan tells whether there is a stall, or has been one since count was n.
func (s *stalls) moreThan(n int64) bool { return s.busy() >= mostBusy || s.count() > n }
