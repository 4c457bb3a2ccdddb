package link

import (
	"testing"
	"time"
)

// Full jitter over a bound that doubles, for ever.
func TestBackoff(t *testing.T) {
	const least, most = 100 * time.Millisecond, 3 * time.Second
	var sums [8]time.Duration
	const rounds = 2000
	for range rounds {
		d := NewBackoff(Delays{Min: least, Max: most})
		bound := least
		for i := range sums {
			got := d.Next()
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

func TestBackoffNeverGivesUp(t *testing.T) {
	d := NewBackoff(Delays{Min: time.Second, Max: time.Minute})
	for range 100_000 {
		if got := d.Next(); got <= 0 || got > time.Minute+time.Millisecond {
			t.Fatalf("delay %v", got)
		}
	}
	d.Reset()
	if got := d.Next(); got > time.Second+time.Millisecond {
		t.Errorf("after a reset %v", got)
	}
}
