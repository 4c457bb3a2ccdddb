package link

import (
	"sync"
	"time"
)

// lag adds up what settle sees, for the window to be reckoned from.
type lag struct {
	mu      sync.Mutex
	n       int
	latency time.Duration
	bytes   int
}

func (l *lag) add(latency time.Duration, bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	l.latency += latency
	l.bytes += bytes
}

// take returns the figures since the last call: how many, and their means.
func (l *lag) take() (n int, latency time.Duration, size float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n = l.n; n > 0 {
		latency, size = l.latency/time.Duration(n), float64(l.bytes)/float64(n)
	}
	l.n, l.latency, l.bytes = 0, 0, 0
	return n, latency, size
}
