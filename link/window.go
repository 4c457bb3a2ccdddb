package link

import "time"

// firstWindow is the automatic window before anything is known of the rate.
const firstWindow = 64

// probeEvery is how long a window that a growth did not speed up is left alone.
const probeEvery = 5 * time.Second

// pace is what the pump measured over one interval.
type pace struct {
	rate      float64       // confirmed messages a second
	roundTrip time.Duration // from receipt to confirm, plus to the source and back
	size      float64       // mean size of a message, bytes
	peak      int           // most in flight at once
}

// window decides how many messages may be in flight: 1.5 × rate × round trip, so that a long way is kept full, bounded
// such that window × size stays within the memory limit. Latency grows with the window once a broker is busy, so a
// growth that brought no speed is not followed by another.
type window struct {
	size      int
	fixed     bool
	max       int
	memory    int64
	rateLimit float64

	before float64   // the rate before the last growth
	grown  time.Time // when that was
}

func newWindow(s Spec) *window {
	w := &window{size: s.Window, fixed: s.Window > 0, max: s.MaxWindow, memory: s.MemoryLimit, rateLimit: s.RateLimit}
	if !w.fixed {
		w.size = min(firstWindow, w.limit(0))
	}
	return w
}

// limit is what memory and the rate limit allow: no more than two seconds' worth is taken from a queue at a limited
// rate, or a stop could not drain it.
func (w *window) limit(size float64) int {
	limit := w.max
	if size > 0 {
		limit = min(limit, int(float64(w.memory)/size))
	}
	if w.rateLimit > 0 {
		limit = min(limit, int(2*w.rateLimit))
	}
	return max(limit, 1)
}

// next returns the window for the interval to come.
func (w *window) next(p pace, now time.Time) int {
	if w.fixed {
		return w.size
	}
	limit := w.limit(p.size)
	if w.size > limit {
		w.size = limit
		return w.size
	}
	want := min(int(1.5*p.rate*p.roundTrip.Seconds()), 2*w.size, limit)
	full := 4*p.peak >= 3*w.size
	if want <= w.size || !full {
		return w.size
	}
	paid := p.rate >= 1.03*w.before
	if !paid && now.Sub(w.grown) < probeEvery {
		return w.size
	}
	w.size, w.before, w.grown = want, p.rate, now
	return w.size
}

// beside is the window while n messages, of so many bytes, have nowhere to go and take part of it: twice their number is
// added, within its bounds, so that those behind them are reached.
func (w *window) beside(n, bytes int) int {
	if w.fixed || n == 0 {
		return w.size
	}
	return max(w.size, min(w.size+2*n, w.limit(float64(bytes)/float64(n))))
}
