package link

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// delays is a back-off with full jitter that never gives up: each delay is drawn between nothing and a bound that
// doubles from Min to Max. Full jitter keeps links that fell together from coming back together.
type delays struct {
	bound *backoff.ExponentialBackOff
}

func newDelays(d Delays) *delays {
	return &delays{bound: backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(d.Min),
		backoff.WithMaxInterval(d.Max),
		backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(0), // the jitter is drawn here, over the whole of it
		backoff.WithMaxElapsedTime(0),      // the library's default gives up after 15 minutes
	)}
}

func (d *delays) next() time.Duration {
	return time.Duration(rand.Int64N(int64(d.bound.NextBackOff()))) + time.Millisecond
}

// reset is called after a session that lasted, not after one that merely began.
func (d *delays) reset() { d.bound.Reset() }

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
