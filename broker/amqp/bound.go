package amqp

import (
	"context"
	"fmt"

	"weir/broker"
)

// Bound implements broker.Buffers. Arguments have the types that arguments documents.
func (b *Broker) Bound(ctx context.Context, buf broker.Buffer) ([]broker.Binding, error) {
	list, err := b.bound(ctx, buf)
	if err != nil {
		return nil, fmt.Errorf("bindings of buffer %q on broker %s: %w", buf.Name, b.config.Name, err)
	}
	return list, nil
}

func (b *Broker) bound(ctx context.Context, buf broker.Buffer) ([]broker.Binding, error) {
	m, err := b.api()
	if err != nil {
		return nil, err
	}
	var rows []binding
	if err := m.list(ctx, &rows, bindingColumns, "queues", b.config.VHost, buf.Name, "bindings"); err != nil {
		return nil, err
	}
	list := from(rows, buf.Exchange.Name)
	if len(list) == 0 { // which is also the answer for a queue that is not there
		var q struct{}
		return nil, m.list(ctx, &q, "name", "queues", b.config.VHost, buf.Name)
	}
	return list, nil
}

// from picks the bindings that lead from an exchange.
func from(rows []binding, exchange string) (list []broker.Binding) {
	for _, r := range rows {
		if r.Source == exchange {
			list = append(list, broker.Binding{Key: r.Key, Arguments: broker.Table(r.Arguments)})
		}
	}
	return list
}
