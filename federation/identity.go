package federation

import (
	"context"

	"weir/broker"
)

// identity is what an end is called on hop lists.
func identity(ctx context.Context, e end) (broker.Identity, error) {
	return broker.IdentityOf(ctx, e.name, e.broker)
}

// identities are those of both ends.
func (p pair) identities(ctx context.Context) (from, to broker.Identity, err error) {
	if from, err = identity(ctx, p.from); err == nil {
		to, err = identity(ctx, p.to)
	}
	return from, to, err
}
