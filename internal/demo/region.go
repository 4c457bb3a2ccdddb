package demo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"weir/broker"
)

// orders is the queue in each region; shipped the exchange where each tells which orders it has worked on, and customers
// the queue in eu that is bound to it.
var (
	orders    = broker.Address{Queue: "orders"}
	shipped   = broker.Address{Exchange: "shipped"}
	customers = broker.Address{Queue: "customers", Exchange: "shipped", RoutingKey: "#"}
)

// region is a broker and the applications there.
type region struct {
	name   string
	broker broker.Broker
	close  func()
	ledger *ledger
}

// subscribe declares the queue, bound if that is where it is read from, and opens its consumer.
func (r *region) subscribe(ctx context.Context, at broker.Address) (broker.Source, error) {
	return r.broker.OpenSource(ctx, at, broker.SourceOptions{Link: "demo consumer", Site: r.name, Window: 20})
}

// consume works on orders, at a pace, and tells of each, until ctx ends.
func (r *region) consume(ctx context.Context, source broker.Source, pace *rate.Limiter) error {
	tell, err := r.broker.OpenSink(ctx, shipped, broker.SinkOptions{Link: "demo consumer", Site: r.name})
	if err != nil {
		_ = source.Close()
		return err
	}
	defer func() { _ = tell.Close() }()
	return receive(ctx, source, func(m *broker.Message, id int) error {
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		if err := broker.SendOne(ctx, tell, news(r.name, id)); err != nil {
			return err
		}
		if err := source.Ack(m); err != nil {
			return err
		}
		r.ledger.consumed(r.name, id)
		return nil
	})
}

// hear takes in what any region has shipped, until ctx ends.
func (r *region) hear(ctx context.Context, source broker.Source) error {
	return receive(ctx, source, func(m *broker.Message, id int) error {
		if err := source.Ack(m); err != nil {
			return err
		}
		r.ledger.heard(m.RoutingKey, id)
		return nil
	})
}

// receive has a message after the other worked on, with the id of the order that it is about, and closes source in the end.
func receive(ctx context.Context, source broker.Source, work func(m *broker.Message, id int) error) error {
	defer func() { _ = source.Close() }()
	for {
		m, err := source.Receive(ctx)
		if err != nil {
			return err
		}
		id, err := strconv.Atoi(m.Properties.MessageID)
		if err != nil {
			return fmt.Errorf("not about an order of ours: %w", err)
		}
		if err := work(m, id); err != nil {
			return err
		}
	}
}

// produce sends orders, numbered from 0, at a pace, until ctx ends. It returns when the broker has confirmed them.
func (r *region) produce(ctx context.Context, pace *rate.Limiter) error {
	sink, err := r.broker.OpenSink(ctx, orders, broker.SinkOptions{Link: "demo producer", Site: r.name})
	if err != nil {
		return err
	}
	defer func() { _ = sink.Close() }()
	pending := make(chan broker.Confirm, 1000)
	stored := make(chan error, 1)
	go func() { stored <- r.confirm(pending) }()
	for id := 0; pace.Wait(ctx) == nil && err == nil; id++ {
		var c broker.Confirm
		if c, err = sink.Send(context.WithoutCancel(ctx), order(id)); err == nil {
			pending <- c
		}
	}
	close(pending)
	return errors.Join(err, <-stored)
}

// confirm counts the orders that the broker has stored.
func (r *region) confirm(pending <-chan broker.Confirm) (err error) {
	for c := range pending {
		<-c.Done()
		if err == nil {
			err = c.Err()
		}
		if err == nil {
			r.ledger.produced()
		}
	}
	return err
}

// news says where an order was shipped: that is its routing key.
func news(region string, id int) *broker.Message {
	return &broker.Message{
		Exchange: shipped.Exchange, RoutingKey: region,
		Properties: broker.Properties{MessageID: strconv.Itoa(id), Type: "shipped", ContentType: "application/json", DeliveryMode: 2},
		Body:       fmt.Appendf(nil, `{"order":%d,"from":%q}`, id, region),
	}
}

func order(id int) *broker.Message {
	return &broker.Message{
		RoutingKey: orders.Queue,
		Properties: broker.Properties{
			MessageID: strconv.Itoa(id), Type: "order", ContentType: "application/json", DeliveryMode: 2,
			Timestamp: time.Now().Truncate(time.Second),
		},
		Headers: broker.Table{"customer": int32(id % 100)},
		Body:    fmt.Appendf(nil, `{"order":%d,"items":%d}`, id, 1+id%5),
	}
}
