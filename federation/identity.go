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

// identities are those of both ends. An error names the upstream, and not the downstream, which is what is being opened.
func (p pair) identities(ctx context.Context) (from, to broker.Identity, err error) {
	if from, err = identity(ctx, p.from); err == nil {
		to, err = broker.IdentityOf(ctx, p.to.broker)
	}
	return from, to, err
}
