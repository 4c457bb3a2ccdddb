package link

import (
	"testing"
	"time"
)

// Full jitter over a bound that doubles, for ever.
func TestDelays(t *testing.T) {
	const least, most = 100 * time.Millisecond, 3 * time.Second
	var sums [8]time.Duration
	const rounds = 2000
	for range rounds {
		d := newDelays(Delays{Min: least, Max: most})
		bound := least
		for i := range sums {
			got := d.next()
			if got <= 0 || got > bound+time.Millisecond {
				t.Fatalf("delay %d is %v, want up to %v", i, got, bound)
			}
			sums[i] += got
			bound = min(2*bound, most)
		}
	}
	for i, bound := 0, least; i < len(sums); i, bound = i+1, min(2*bound, most) {
		if mean := sums[i] / rounds; mean < bound*4/10 || mean > bound*6/10 {
			t.Errorf("delay %d is %v on average, want about half of %v", i, mean, bound)
		}
	}
}

func TestDelaysNeverGiveUp(t *testing.T) {
	d := newDelays(Delays{Min: time.Second, Max: time.Minute})
	for range 100_000 {
		if got := d.next(); got <= 0 || got > time.Minute+time.Millisecond {
			t.Fatalf("delay %v", got)
		}
	}
	d.reset()
	if got := d.next(); got > time.Second+time.Millisecond {
		t.Errorf("after a reset %v", got)
	}
}
