package memory

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"weir/broker"
)

// DeclareBuffer implements broker.Buffers.
func (b *Broker) DeclareBuffer(ctx context.Context, as broker.Buffer) error {
	if err := b.reach(ctx); err != nil {
		return err
	}
	b.lock()
	defer b.mu.Unlock()
	if b.denied[as.Name] || b.denied[as.Exchange.Name] {
		return fmt.Errorf("declare buffer %q: %w", as.Name, broker.ErrDenied)
	}
	if q := b.queues[as.Name]; q != nil && !sameArguments(q.Arguments, as.Arguments) {
		return fmt.Errorf("buffer %q: %w", as.Name, broker.ErrMismatch)
	}
	b.declareExchange(as.Exchange)
	q := b.declare(as.Name, Queue{Arguments: maps.Clone(as.Arguments)})
	q.firstHop = as.FirstHop
	return nil
}

// sameArguments compares as RabbitMQ does: numbers by value.
func sameArguments(a, b broker.Table) bool {
	return maps.EqualFunc(a, b, func(a, b any) bool { return reflect.DeepEqual(widened(a), widened(b)) })
}

// Bound implements broker.Buffers.
func (b *Broker) Bound(ctx context.Context, buffer broker.Buffer) ([]broker.Binding, error) {
	if err := b.reach(ctx); err != nil {
		return nil, err
	}
	b.lock()
	defer b.mu.Unlock()
	if err := b.hasBuffer(buffer); err != nil {
		return nil, err
	}
	found := b.exchanges[buffer.Exchange.Name].leadingTo(buffer.Name, false)
	for i := range found {
		found[i].Destination = ""
	}
	return found, nil
}

// Rebind implements broker.Buffers.
func (b *Broker) Rebind(ctx context.Context, buffer broker.Buffer, add, remove []broker.Binding) error {
	if err := b.reach(ctx); err != nil {
		return err
	}
	b.lock()
	defer b.mu.Unlock()
	if err := b.hasBuffer(buffer); err != nil {
		return err
	}
	x, changed := b.exchanges[buffer.Exchange.Name], false
	for _, binding := range add {
		binding.Destination, binding.ToExchange = buffer.Name, false
		changed = x.bind(binding) || changed
	}
	gone := slices.Clone(remove)
	for i := range gone {
		gone[i].Destination, gone[i].ToExchange = buffer.Name, false
	}
	if x.unbind(gone...) || changed {
		b.hint(x.Name)
	}
	return nil
}

func (b *Broker) hasBuffer(buffer broker.Buffer) error {
	switch {
	case b.denied[buffer.Name], b.denied[buffer.Exchange.Name]:
		return fmt.Errorf("buffer %q: %w", buffer.Name, broker.ErrDenied)
	case b.queues[buffer.Name] == nil:
		return fmt.Errorf("buffer %q: %w", buffer.Name, broker.ErrNotFound)
	case b.exchanges[buffer.Exchange.Name] == nil:
		return fmt.Errorf("exchange %q of buffer %q: %w", buffer.Exchange.Name, buffer.Name, broker.ErrNotFound)
	}
	return nil
}

// Waiting implements broker.Buffers.
func (b *Broker) Waiting(ctx context.Context, prefix string) ([]broker.Waiting, error) {
	if err := b.reach(ctx); err != nil {
		return nil, err
	}
	b.lock()
	defer b.mu.Unlock()
	var all []broker.Waiting
	for _, name := range slices.Sorted(maps.Keys(b.queues)) {
		if strings.HasPrefix(name, prefix) {
			all = append(all, broker.Waiting{
				Name: name, Exchange: b.boundTo(name), Messages: broker.Counted(b.queues[name].messages()),
			})
		}
	}
	return all, nil
}

// boundTo is the first exchange with a binding to a queue, by name.
func (b *Broker) boundTo(queue string) string {
	for _, name := range slices.Sorted(maps.Keys(b.exchanges)) {
		if len(b.exchanges[name].leadingTo(queue, false)) > 0 {
			return name
		}
	}
	return ""
}

// DeleteBuffer implements broker.Disposer.
func (b *Broker) DeleteBuffer(ctx context.Context, name string, force bool) error {
	if err := b.reach(ctx); err != nil {
		return err
	}
	b.lock()
	defer b.mu.Unlock()
	q := b.queues[name]
	switch {
	case b.denied[name]:
		return fmt.Errorf("delete buffer %q: %w", name, broker.ErrDenied)
	case q == nil:
		return nil
	case !force && (q.messages() > 0 || len(q.sources) > 0):
		return fmt.Errorf("delete buffer %q with %d messages and %d consumers: %w", name, q.messages(), len(q.sources), broker.ErrInUse)
	}
	q.delete()
	return nil
}
