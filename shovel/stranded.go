package shovel

import (
	"fmt"
	"sync"
	"time"

	"weir/broker"
)

// How long what was given back, because it had nowhere to go, does not count towards a start: twice as long each time.
const (
	firstRest   = 10 * time.Second
	longestRest = time.Hour
)

// stranded are messages that an overflow has taken, could send nowhere, and gave back when its gate shut. They would open
// it again at once, for nothing: a message that came from another region may well not go on to a third one, or back. And
// each time they are given back a quorum queue counts that.
type stranded struct {
	mu    sync.Mutex
	n     int
	rest  time.Duration
	until time.Time
}

// note notes how many were given back.
func (s *stranded) note(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n = n
	if n == 0 {
		s.rest, s.until = 0, time.Time{}
		return
	}
	s.rest = min(max(2*s.rest, firstRest), longestRest)
	s.until = time.Now().Add(s.rest)
}

// discount is a depth without them: nobody knows how many of them are still there, nor how old the others are.
func (s *stranded) discount(d broker.Depth) (counts broker.Depth, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.until.Sub(d.At)
	if left <= 0 || !d.Ready.Known {
		return d, ""
	}
	d.Ready.N = max(0, d.Ready.N-int64(s.n))
	d.OldestAtLeast, d.OldestAtMost = broker.Age{}, broker.Age{}
	return d, fmt.Sprintf("; %d more had nowhere to go and do not count for %v", s.n, left.Round(time.Second))
}
