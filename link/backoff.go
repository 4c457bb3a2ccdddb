package link

import (
	"context"
	"math/rand/v2"
	"time"
)

// Delays bound a back-off.
type Delays struct{ Min, Max time.Duration }

// After is how long to wait after so many faults in a row; 0: at once. It is drawn between nothing and a bound that doubles
// from Min to Max. Full jitter keeps links that fell together from coming back together.
func (d Delays) After(faults int) time.Duration {
	if faults < 1 {
		return 0
	}
	bound := d.Max
	if shift := faults - 1; shift < 63 && d.Min <= d.Max>>shift {
		bound = d.Min << shift
	}
	return rand.N(max(bound, 1)) + time.Millisecond
}

// delays counts faults for a back-off that never gives up.
type delays struct {
	Delays
	faults int
}

func newDelays(d Delays) *delays { return &delays{Delays: d} }

func (d *delays) next() time.Duration {
	d.faults++
	return d.After(d.faults)
}

// reset is called after a session that lasted, not after one that merely began.
func (d *delays) reset() { d.faults = 0 }

// wait returns false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
