package federation

import (
	"context"
	"fmt"
	"sync"
	"time"

	"weir/broker"
)

// atOnce is how many links may ask one upstream's broker something at a time: enough to hide a long round trip when
// thousands start, and not so many as to be a burden.
const atOnce = 16

// upstream is a broker that buffers are on, as all links over it share it. One that is away holds up no other.
type upstream struct {
	end
	slots chan struct{}

	mu      sync.Mutex
	listed  []broker.Waiting
	at      time.Time
	failure error // of the last listing
}

func newUpstream(e end) *upstream { return &upstream{end: e, slots: make(chan struct{}, atOnce)} }

// buffers is what federation needs of the broker; broker.ErrUnsupported if it cannot do it.
func (u *upstream) buffers() (broker.Buffers, error) {
	b, ok := u.broker.(broker.Buffers)
	if !ok {
		return nil, fmt.Errorf("buffers on broker %s: %w", u.name, broker.ErrUnsupported)
	}
	return b, nil
}

// enter waits for a slot; leave gives it back.
func (u *upstream) enter(ctx context.Context) error {
	select {
	case u.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (u *upstream) leave() { <-u.slots }

// waiting lists the buffers of all links there, as they were at most so long ago: one listing serves many.
func (u *upstream) waiting(ctx context.Context, age time.Duration) ([]broker.Waiting, error) {
	b, err := u.buffers()
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.at.IsZero() && time.Since(u.at) <= age {
		return u.listed, u.failure
	}
	u.listed, u.failure = b.Waiting(ctx, ownPrefix)
	u.at = time.Now()
	if ctx.Err() != nil { // says nothing about the broker
		u.at = time.Time{}
	}
	return u.listed, u.failure
}

// forget makes the next listing a new one.
func (u *upstream) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.at = time.Time{}
}
