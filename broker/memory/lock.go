package memory

import (
	"context"
	"fmt"
	"sync"

	"weir/broker"
)

// lease is the ownership of one name.
type lease struct {
	ended chan struct{}
	lose  context.CancelCauseFunc
}

// Lock implements broker.Locker. Everyone who uses this Broker competes.
func (b *Broker) Lock(ctx context.Context, name string) (context.Context, func(), error) {
	for {
		if err := b.reach(ctx); err != nil {
			return nil, nil, fmt.Errorf("lock %s: %w", name, err)
		}
		held, l, owner := b.claim(context.WithoutCancel(ctx), name)
		if l != nil {
			return held, sync.OnceFunc(func() { b.do(func() { b.free(name, l) }) }), nil
		}
		select {
		case <-owner.ended:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// claim takes name if it is free, and otherwise returns who owns it.
func (b *Broker) claim(ctx context.Context, name string) (held context.Context, mine, owner *lease) {
	b.lock()
	defer b.mu.Unlock()
	if owner := b.locks[name]; owner != nil {
		return nil, nil, owner
	}
	held, lose := context.WithCancelCause(ctx)
	b.locks[name] = &lease{ended: make(chan struct{}), lose: lose}
	return held, b.locks[name], nil
}

// free ends a lease, once.
func (b *Broker) free(name string, l *lease) {
	if b.locks[name] != l {
		return
	}
	delete(b.locks, name)
	l.lose(fmt.Errorf("lock %s: %w", name, broker.ErrLost))
	close(l.ended)
}
