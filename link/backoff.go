package link

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Delays bound a back-off.
type Delays struct{ Min, Max time.Duration }

// Backoff draws how long to wait after faults in a row, and never gives up: each delay lies between nothing and a bound that
// doubles from Min to Max. This full jitter keeps links that fell together from coming back together.
type Backoff struct {
	bound  *backoff.ExponentialBackOff
	faults int
}

// NewBackoff begins with no fault.
func NewBackoff(d Delays) *Backoff {
	return &Backoff{bound: backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(d.Min),
		backoff.WithMaxInterval(d.Max),
		backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(0), // the jitter is drawn here, over the whole of it
		backoff.WithMaxElapsedTime(0),      // the library's default gives up after 15 minutes
	)}
}

// Next is the delay after one more fault.
func (b *Backoff) Next() time.Duration {
	b.faults++
	return rand.N(max(b.bound.NextBackOff(), 1)) + time.Millisecond
}

// First is the delay after a fault that ended what had lasted: none, since most often another node is there at once.
func (b *Backoff) First() time.Duration {
	b.Reset()
	b.faults = 1
	return 0
}

// Faults is how many there have been in a row.
func (b *Backoff) Faults() int { return b.faults }

// Reset is called after what lasted, not after what merely began.
func (b *Backoff) Reset() {
	b.bound.Reset()
	b.faults = 0
}

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
