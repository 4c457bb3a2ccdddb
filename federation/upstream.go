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
	slots   chan struct{}
	listing chan struct{} // cap 1: whoever lists has it; no mutex, because listing may take as long as the broker likes

	mu        sync.Mutex
	listed    []broker.Waiting
	failure   error     // of the last listing
	began     time.Time // when that was asked for
	forgotten time.Time // what was asked for before is out of date
}

func newUpstream(e end) *upstream {
	return &upstream{end: e, slots: make(chan struct{}, atOnce), listing: make(chan struct{}, 1)}
}

// buffers is what federation needs of the broker; broker.ErrUnsupported if it cannot do it.
func (u *upstream) buffers() (broker.Buffers, error) {
	b, ok := u.broker.(broker.Buffers)
	if !ok {
		return nil, fmt.Errorf("a broker of this type keeps no buffers: %w", broker.ErrUnsupported)
	}
	return b, nil
}

// enter waits for a slot; leave gives it back.
func (u *upstream) enter(ctx context.Context) error {
	select {
	case u.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("it has not answered what %d other links have asked: %w", atOnce, ctx.Err())
	}
}

func (u *upstream) leave() { <-u.slots }

// waiting lists the buffers of all links there, as they were at most so long before it is called: one listing serves many.
func (u *upstream) waiting(ctx context.Context, age time.Duration) ([]broker.Waiting, error) {
	b, err := u.buffers()
	if err != nil {
		return nil, err
	}
	oldest := time.Now().Add(-age)
	select {
	case u.listing <- struct{}{}:
		defer func() { <-u.listing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("it has not listed its buffers for another link: %w", ctx.Err())
	}
	if listed, err, known := u.last(oldest); known {
		return listed, err
	}
	began := time.Now()
	listed, err := b.Waiting(ctx, ownPrefix)
	if ctx.Err() == nil { // otherwise it says nothing about the broker
		u.mu.Lock()
		defer u.mu.Unlock()
		u.listed, u.failure, u.began = listed, err, began
	}
	return listed, err
}

// last is the last listing, if it was asked for since.
func (u *upstream) last(since time.Time) (listed []broker.Waiting, err error, known bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known = !u.began.IsZero() && !u.began.Before(since) && u.began.After(u.forgotten)
	return u.listed, u.failure, known
}

// forget makes the next listing a new one.
func (u *upstream) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forgotten = time.Now()
}
