package shovel

import (
	"context"
	"fmt"
	"sync/atomic"

	"weir/broker"
	"weir/link"
)

// owner is a gate that is open on one of several gateways: the one that holds a lock at the source's broker.
type owner struct {
	at     string // the broker's name
	broker broker.Locker
	name   string
	owned  atomic.Bool
}

// Open implements link.Gate. The lock is kept until the link has drained: else another gateway would begin meanwhile.
func (o *owner) Open(ctx context.Context) (context.Context, func(), error) {
	held, release, err := o.broker.Lock(ctx, o.name)
	if err != nil {
		return nil, nil, fmt.Errorf("broker %s: %w", o.at, err)
	}
	o.owned.Store(true)
	open, shut := context.WithCancel(held)
	unlink := context.AfterFunc(ctx, shut)
	return open, func() {
		unlink()
		shut()
		o.owned.Store(false)
		release()
	}, nil
}

// Shut implements link.Gate.
func (o *owner) Shut() (link.State, string) {
	if o.owned.Load() {
		return "", ""
	}
	return link.Standby, "another gateway runs it (single-owner)"
}
