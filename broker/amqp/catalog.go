package amqp

import (
	"context"
	"fmt"

	"weir/broker"
)

// api returns the management API, or ErrUnsupported with the cure.
func (b *Broker) api() (*management, error) {
	if b.management == nil {
		return nil, fmt.Errorf("set brokers.%s.management: RabbitMQ tells only its management API what exists: %w",
			b.config.Name, broker.ErrUnsupported)
	}
	return b.management, nil
}

// Exchanges implements broker.Catalog.
func (b *Broker) Exchanges(ctx context.Context) ([]broker.Exchange, error) {
	m, err := b.api()
	if err != nil {
		return nil, fmt.Errorf("list exchanges: %w", err)
	}
	var rows []struct {
		Name       string    `json:"name"`
		Type       string    `json:"type"`
		Durable    bool      `json:"durable"`
		AutoDelete bool      `json:"auto_delete"`
		Internal   bool      `json:"internal"`
		Arguments  arguments `json:"arguments"`
	}
	if err := m.list(ctx, &rows, "name,type,durable,auto_delete,internal,arguments", "exchanges", b.config.VHost); err != nil {
		return nil, fmt.Errorf("list exchanges: %w", err)
	}
	var list []broker.Exchange
	for _, x := range rows {
		if x.Name != "" {
			list = append(list, broker.Exchange{
				Name: x.Name, Type: x.Type, Durable: x.Durable, AutoDelete: x.AutoDelete, Internal: x.Internal,
				Arguments: broker.Table(x.Arguments),
			})
		}
	}
	return list, nil
}

// Queues implements broker.Catalog.
func (b *Broker) Queues(ctx context.Context) ([]broker.Queue, error) {
	m, err := b.api()
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	var rows []struct {
		Name       string    `json:"name"`
		Type       string    `json:"type"`
		Durable    bool      `json:"durable"`
		AutoDelete bool      `json:"auto_delete"`
		Exclusive  bool      `json:"exclusive"`
		Arguments  arguments `json:"arguments"`
	}
	if err := m.list(ctx, &rows, "name,type,durable,auto_delete,exclusive,arguments", "queues", b.config.VHost); err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	list := make([]broker.Queue, len(rows))
	for i, q := range rows {
		list[i] = broker.Queue{
			Name: q.Name, Type: q.Type, Durable: q.Durable, AutoDelete: q.AutoDelete, Exclusive: q.Exclusive,
			Arguments: broker.Table(q.Arguments),
		}
	}
	return list, nil
}

// Bindings implements broker.Catalog. Arguments have the types that arguments documents.
func (b *Broker) Bindings(ctx context.Context, exchange string) ([]broker.Binding, error) {
	m, err := b.api()
	if err != nil {
		return nil, fmt.Errorf("bindings of exchange %q: %w", exchange, err)
	}
	var rows []binding
	err = m.list(ctx, &rows, bindingColumns, "exchanges", b.config.VHost, exchange, "bindings", "source")
	if err == nil && len(rows) == 0 { // which is also the answer for an exchange that is not there
		var x struct{}
		err = m.list(ctx, &x, "name", "exchanges", b.config.VHost, exchange)
	}
	if err != nil {
		return nil, fmt.Errorf("bindings of exchange %q: %w", exchange, err)
	}
	list := make([]broker.Binding, len(rows))
	for i, r := range rows {
		list[i] = broker.Binding{
			Destination: r.Destination, ToExchange: r.DestinationType == "exchange", Key: r.Key, Arguments: broker.Table(r.Arguments),
		}
	}
	return list, nil
}

// binding is one as the management API tells it.
type binding struct {
	Source          string    `json:"source"`
	Destination     string    `json:"destination"`
	DestinationType string    `json:"destination_type"` // queue or exchange
	Key             string    `json:"routing_key"`
	Arguments       arguments `json:"arguments"`
}

const bindingColumns = "source,destination,destination_type,routing_key,arguments"
