package federation

import (
	"context"
	"fmt"

	"weir/broker"
)

// identity is what an end is called on hop lists.
func identity(ctx context.Context, e end) (broker.Identity, error) {
	id, err := broker.IdentityOf(ctx, e.broker)
	if err != nil {
		return id, fmt.Errorf("broker %s: %w", e.name, err)
	}
	return id, nil
}

// identities are those of both ends.
func (p pair) identities(ctx context.Context) (from, to broker.Identity, err error) {
	if from, err = identity(ctx, p.from); err == nil {
		to, err = identity(ctx, p.to)
	}
	return from, to, err
}
