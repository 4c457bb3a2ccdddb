package link

import (
	"errors"
	"sync"
	"time"

	"weir/broker"
)

// entry is one message that was received and is not settled yet.
type entry struct {
	m       *broker.Message
	seq     uint64 // in order of receipt
	confirm broker.Confirm
	sent    time.Time // when the last try began; before the first, when it was received
	stored  int64     // when it came to the source, in nanoseconds since 1970; 0: not known
	trail   Trail     // nil: nobody follows it
	trouble *trouble  // nil: none so far

	heartbeat bool // it is no message of anybody's, and counts nowhere
}

// trouble is what has kept a message from its destination.
type trouble struct {
	err      error     // the last answer: ErrRefused, ErrUnroutable or ErrNowhere
	attempts int       // refusals so far that count
	waits    string    // why they do not count: something is out of order at the destination; empty: they do
	since    time.Time // when it first had nowhere to go; zero after another answer
}

// refused notes that the destination will not take it.
func (e *entry) refused(answer error) {
	if e.trouble == nil {
		e.trouble = &trouble{}
	}
	e.trouble.err, e.trouble.since = answer, time.Time{}
	e.trouble.attempts++
}

// strand notes that no destination may take it for now.
func (e *entry) strand(why error) {
	if e.trouble == nil {
		e.trouble = &trouble{}
	}
	if e.trouble.since.IsZero() {
		e.trouble.since = time.Now()
	}
	e.trouble.err = why
}

// isRefused tells whether it must be sent again alone.
func (e entry) isRefused() bool {
	return e.trouble != nil && !errors.Is(e.trouble.err, broker.ErrNowhere)
}

// isStranded tells whether it had nowhere to go at the last try.
func (e entry) isStranded() bool { return e.trouble != nil && !e.trouble.since.IsZero() }

// strandedFor tells whether it has had nowhere to go for so long.
func (e entry) strandedFor(d time.Duration) bool {
	return e.isStranded() && time.Since(e.trouble.since) >= d
}

// flight holds what has been sent and not settled, in order of sending: a queue between the two halves of the pump.
// Its length is bounded by the source's window.
type flight struct {
	mu      sync.Mutex
	entries []entry // a ring: entries[head:head+n]
	head, n int
	pushed  chan struct{} // cap 1: something was pushed
	emptied chan struct{} // cap 1: the last one was taken
}

func newFlight() *flight {
	return &flight{pushed: make(chan struct{}, 1), emptied: make(chan struct{}, 1)}
}

func (f *flight) push(e entry) {
	f.mu.Lock()
	if f.n == len(f.entries) {
		grown := make([]entry, max(64, 2*f.n))
		for i := range f.n {
			grown[i] = f.entries[(f.head+i)%len(f.entries)]
		}
		f.entries, f.head = grown, 0
	}
	f.entries[(f.head+f.n)%len(f.entries)] = e
	f.n++
	first := f.n == 1
	f.mu.Unlock()
	if first {
		signal(f.pushed)
	}
}

// front is the oldest entry.
func (f *flight) front() (entry, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == 0 {
		return entry{}, false
	}
	return f.entries[f.head], true
}

// pop takes the oldest entry out.
func (f *flight) pop() {
	f.mu.Lock()
	f.entries[f.head] = entry{}
	f.head = (f.head + 1) % len(f.entries)
	f.n--
	last := f.n == 0
	f.mu.Unlock()
	if last {
		signal(f.emptied)
	}
}

func (f *flight) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// signal wakes the one who waits on c, if it is not awake already.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
