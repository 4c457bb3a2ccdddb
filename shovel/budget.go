package shovel

import (
	"context"
	"sync/atomic"
	"time"
)

// soonest bounds how often a depth is read, however much leaves.
const soonest = 10 * time.Millisecond

// budget is how many messages may leave before a depth has to be read again: half of those that would take it to a
// threshold. So however fast a shovel is, it neither empties a queue nor floods another between two looks at the clock.
type budget struct {
	left  atomic.Int64
	spent chan struct{} // cap 1: look again
}

func newBudget() *budget { return &budget{spent: make(chan struct{}, 1)} }

func (b *budget) set(n int64) { b.left.Store(n) }

// spend is called for each message that leaves.
func (b *budget) spend() {
	if b.left.Add(-1) == 0 {
		b.look()
	}
}

// look has the depth read now.
func (b *budget) look() {
	select {
	case b.spent <- struct{}{}:
	default: // it will be
	}
}

// pause waits until the depth is to be read again, d from now or sooner; false if ctx ended first.
func (b *budget) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	began := time.Now()
	select {
	case <-timer.C:
		return true
	case <-b.spent:
		return pause(ctx, soonest-time.Since(began))
	case <-ctx.Done():
		return false
	}
}
