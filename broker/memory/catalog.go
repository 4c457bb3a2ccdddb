package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"weir/broker"
)

// Exchanges implements broker.Catalog.
func (b *Broker) Exchanges(ctx context.Context) ([]broker.Exchange, error) {
	if err := b.look(ctx, "list exchanges"); err != nil {
		return nil, err
	}
	b.lock()
	defer b.mu.Unlock()
	var all []broker.Exchange
	for _, name := range slices.Sorted(maps.Keys(b.exchanges)) {
		x := b.exchanges[name].Exchange
		x.Arguments = maps.Clone(x.Arguments)
		all = append(all, x)
	}
	return all, nil
}

// Queues implements broker.Catalog.
func (b *Broker) Queues(ctx context.Context) ([]broker.Queue, error) {
	if err := b.look(ctx, "list queues"); err != nil {
		return nil, err
	}
	b.lock()
	defer b.mu.Unlock()
	var all []broker.Queue
	for _, name := range slices.Sorted(maps.Keys(b.queues)) {
		q := b.queues[name]
		kind, _ := q.Arguments["x-queue-type"].(string)
		all = append(all, broker.Queue{
			Name: name, Type: cmp.Or(kind, "classic"), Durable: !q.Transient, AutoDelete: q.AutoDelete, Exclusive: q.Exclusive,
			Arguments: maps.Clone(q.Arguments),
		})
	}
	return all, nil
}

// Bindings implements broker.Catalog.
func (b *Broker) Bindings(ctx context.Context, exchange string) ([]broker.Binding, error) {
	if err := b.look(ctx, "list bindings"); err != nil {
		return nil, err
	}
	b.lock()
	defer b.mu.Unlock()
	x := b.exchanges[exchange]
	if x == nil {
		return nil, fmt.Errorf("exchange %q: %w", exchange, broker.ErrNotFound)
	}
	all := make([]broker.Binding, len(x.bindings))
	for i, bound := range x.bindings {
		all[i] = bound.Binding
	}
	return all, nil
}

// look is reach for what needs a management API.
func (b *Broker) look(ctx context.Context, what string) error {
	if err := b.reach(ctx); err != nil {
		return err
	}
	b.lock()
	defer b.mu.Unlock()
	if b.unmanaged {
		return fmt.Errorf("%s: no management API; give one: %w", what, broker.ErrUnsupported)
	}
	return nil
}
