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
	bound *backoff.ExponentialBackOff
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
	return rand.N(max(b.bound.NextBackOff(), 1)) + time.Millisecond
}

// Reset is called after what lasted, not after what merely began.
func (b *Backoff) Reset() { b.bound.Reset() }

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
