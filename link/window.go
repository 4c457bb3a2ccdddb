package link

import "time"

// firstWindow is the automatic window before anything is known of the rate.
const firstWindow = 64

// How long a window is left alone after a growth that brought no speed: twice as long each time, because a broker that is
// busy answers the later the more it is sent, so that its window always looks too small.
const (
	firstRest   = 2 * time.Second
	longestRest = time.Minute
)

// leastTrip is what a round trip counts at least. What is next door answers within a fraction of a millisecond, and a
// window of that little would have it deliver a handful of messages at a time.
const leastTrip = 20 * time.Millisecond

// pace is what the pump measured over one interval.
type pace struct {
	rate      float64       // confirmed messages a second
	roundTrip time.Duration // from sending to confirm, plus to the source and back
	size      float64       // mean size of a message, bytes; 0: not known yet
	stranded  int           // messages that have nowhere to go, and take up room
}

// timeFor is how long so many messages take.
func (p pace) timeFor(messages float64) time.Duration {
	return time.Duration(messages / p.rate * float64(time.Second))
}

// sizing is a window: what may flow, and what is added for stranded messages, so that they do not stand in the way.
type sizing struct{ flow, extra int }

func (s sizing) total() int { return s.flow + s.extra }

// window decides how many messages may be in flight. It doubles while rate × round trip, which is what is in flight on
// average, comes near it, and while that brings speed; a growth that does not is taken back. So it ends at about 1.5 to
// 2.5 × rate × round trip, and within what memory and the rate limit allow.
type window struct {
	sizing
	fixed     bool
	max       int
	memory    int64
	rateLimit float64

	from   int     // on trial: the flow before the last growth; 0: no trial
	before float64 // on trial: the rate before it
	rest   time.Duration
	until  time.Time // of the rest
}

func newWindow(s Spec) *window {
	w := &window{fixed: s.Window > 0, max: s.MaxWindow, memory: s.MemoryLimit, rateLimit: s.RateLimit, rest: firstRest}
	w.flow = s.Window
	if !w.fixed {
		w.flow = min(firstWindow, w.limit(0))
	}
	return w
}

// atMost bounds the window for good.
func (w *window) atMost(n int) { w.max, w.flow = min(w.max, n), min(w.flow, n) }

// most is the largest window that will be asked for, 0 if it does not change.
func (w *window) most() int {
	if w.fixed {
		return 0
	}
	return w.limit(0)
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

// next returns the window for the interval to come. The caller says resized when it is in force.
func (w *window) next(p pace, now time.Time) sizing {
	if w.fixed {
		return w.sizing
	}
	limit := w.limit(p.size)
	next := sizing{flow: min(w.nextFlow(p, now), limit), extra: w.extra}
	if 2*(p.stranded-w.extra) > w.flow || 4*p.stranded < w.extra {
		next.extra = 2 * p.stranded
	}
	next.extra = min(next.extra, limit-next.flow)
	return next
}

func (w *window) nextFlow(p pace, now time.Time) int {
	full := p.rate*max(p.roundTrip, leastTrip).Seconds() >= 0.75*float64(w.flow)
	paid := p.rate >= 1.05*w.before
	switch {
	case w.from > 0 && full && !paid:
		return w.from
	case w.from > 0:
		w.from, w.rest = 0, firstRest
	}
	if !full || now.Before(w.until) {
		return w.flow
	}
	return 2 * w.flow
}

// stepped makes of a window the next larger one that a broker.Stepper takes; it stays what it is if it was not to grow, or
// if that one would be too large.
func (w *window) stepped(to sizing, size float64, steps []int) sizing {
	if to.total() <= w.total() {
		return w.sizing
	}
	for _, step := range steps {
		if step >= to.total() && step <= w.limit(size) {
			return sizing{flow: step - to.extra, extra: to.extra}
		}
	}
	return w.sizing
}

// opened notes with which window a broker.Stepper has begun.
func (w *window) opened(total int) { w.flow = max(w.flow, total-w.extra) }

// resized notes that another window is in force; p is what next was asked about.
func (w *window) resized(to sizing, p pace, now time.Time) {
	switch {
	case to.flow > w.flow:
		w.from, w.before = w.flow, p.rate
	case to.flow < w.flow && w.from > 0: // taken back
		w.until = now.Add(w.rest)
		w.rest = min(2*w.rest, longestRest)
		w.from = 0
	}
	w.sizing = to
}
