package memory

import (
	"context"
	"fmt"

	"weir/broker"
)

// Check implements broker.Checker.
func (b *Broker) Check(ctx context.Context, at broker.Address, as broker.Role, predeclared bool) error {
	if err := b.reach(ctx); err != nil {
		return err
	}
	b.lock()
	defer b.mu.Unlock()
	return b.permits(at, as, predeclared)
}

// DeadLetters implements broker.Checker.
func (b *Broker) DeadLetters(ctx context.Context, at broker.Address) (bool, error) {
	if err := b.reach(ctx); err != nil {
		return false, err
	}
	b.lock()
	defer b.mu.Unlock()
	q := b.queues[at.Queue]
	if q == nil {
		return false, fmt.Errorf("%v: %w", at, broker.ErrNotFound)
	}
	return b.queues[q.DeadLetter] != nil, nil
}

// permits says whether a session at this address would open.
func (b *Broker) permits(at broker.Address, as broker.Role, predeclared bool) error {
	switch {
	case at.Stream != "" || at.Consumer != "" || at.Subject != "":
		return fmt.Errorf("%v: no words of this broker: %w", at, broker.ErrUnsupported)
	case as == broker.AsSource && at.Queue == "" && at.Exchange == "":
		return fmt.Errorf("%v: a source is either a queue or an exchange: %w", at, broker.ErrUnsupported)
	case b.denied[at.Queue], b.denied[at.Exchange]:
		return fmt.Errorf("%v: %w", at, broker.ErrDenied)
	case at.Exchange != "" && b.exchanges[at.Exchange] == nil,
		at.Queue != "" && b.queues[at.Queue] == nil && predeclared:
		return fmt.Errorf("%v: %w", at, broker.ErrNotFound)
	}
	return nil
}
