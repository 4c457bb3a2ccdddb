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
		return nil, fmt.Errorf("bindings of buffer %q: %w", buf.Name, err)
	}
	return list, nil
}

func (b *Broker) bound(ctx context.Context, buf broker.Buffer) ([]broker.Binding, error) {
	m, err := b.api()
	if err != nil {
		return nil, err
	}
	places := []place{queueOf(buf.Name)}
	if buf.FirstHop {
		places = []place{filterOf(buf.Name), queueOf(buf.Name)} // the second where there can be no filter
	}
	for _, p := range places {
		list, err := p.bindings(ctx, m, b.config.VHost, buf.Exchange.Name)
		if err != nil || len(list) > 0 {
			return list, err
		}
	}
	var q struct{} // no bindings is also the answer for a queue that is not there
	return nil, m.list(ctx, &q, "name", "queues", b.config.VHost, buf.Name)
}
