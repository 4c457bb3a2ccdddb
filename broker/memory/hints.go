package memory

import (
	"context"
	"fmt"

	"weir/broker"
)

// hintsHeld is how many hints wait for a slow reader. What comes on top is lost, as the contract allows.
const hintsHeld = 64

// Hints implements broker.Catalog. They end with ctx, or by Cut.
func (b *Broker) Hints(ctx context.Context) (<-chan broker.Hint, error) {
	if err := b.look(ctx, "hints"); err != nil {
		return nil, err
	}
	b.lock()
	defer b.mu.Unlock()
	if b.hintless {
		return nil, fmt.Errorf("hints: no event exchange; enable it: %w", broker.ErrUnsupported)
	}
	hints := make(chan broker.Hint, hintsHeld)
	b.listeners[hints] = true
	context.AfterFunc(ctx, func() { b.do(func() { b.endHints(hints) }) })
	return hints, nil
}

// hint tells every listener that the bindings of an exchange have changed or, without a name, that exchanges or queues
// have come or gone.
func (b *Broker) hint(exchange string) {
	if b.hintsLost {
		return
	}
	for hints := range b.listeners {
		select {
		case hints <- broker.Hint{Exchange: exchange}:
		default:
		}
	}
}

// endHints does so once.
func (b *Broker) endHints(hints chan broker.Hint) {
	if b.listeners[hints] {
		delete(b.listeners, hints)
		close(hints)
	}
}
