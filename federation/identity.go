package federation

import (
	"context"
	"fmt"

	"weir/broker"
)

// identity asks a broker what it is called on hop lists.
func identity(ctx context.Context, e end) (broker.Identity, error) {
	i, ok := e.broker.(broker.Identifier)
	if !ok {
		return broker.Identity{}, fmt.Errorf("name of broker %s for hop lists: %w", e.name, broker.ErrUnsupported)
	}
	id, err := i.Identity(ctx)
	if err != nil {
		return broker.Identity{}, fmt.Errorf("broker %s: %w", e.name, err)
	}
	return id, nil
}
