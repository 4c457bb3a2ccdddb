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

// orders is the queue in each region.
var orders = broker.Address{Queue: "orders"}

// region is a broker and the applications there.
type region struct {
	name   string
	broker broker.Broker
	close  func()
	ledger *ledger
}

// subscribe declares the queue and opens its consumer.
func (r *region) subscribe(ctx context.Context) (broker.Source, error) {
	return r.broker.OpenSource(ctx, orders, broker.SourceOptions{Link: "demo consumer", Site: r.name, Window: 20})
}

// consume works on orders, at a pace, until ctx ends.
func (r *region) consume(ctx context.Context, source broker.Source, pace *rate.Limiter) error {
	defer func() { _ = source.Close() }()
	for {
		m, err := source.Receive(ctx)
		if err != nil {
			return err
		}
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		id, err := strconv.Atoi(m.Properties.MessageID)
		if err != nil {
			return fmt.Errorf("not an order of ours: %w", err)
		}
		if err := source.Ack(m); err != nil {
			return err
		}
		r.ledger.consumed(r.name, id)
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
