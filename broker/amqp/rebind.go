package amqp

import (
	"context"
	"fmt"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"weir/broker"
)

const (
	// mostBindings is how many bindings are on their way to the broker at a time on one channel: 10,000 take a few round
	// trips.
	mostBindings = 500
	// lanes is how many channels share a long list: RabbitMQ stores one binding after the other on a channel, and those
	// of several together.
	lanes = 4
)

// Rebind implements broker.Buffers. ErrNotFound: the exchange or the buffer is missing; declare it again. An argument that RabbitMQ refuses, or a missing permission (ErrDenied), is named in the error; then any of
// the others may have been bound or not.
func (b *Broker) Rebind(ctx context.Context, buf broker.Buffer, add, remove []broker.Binding) error {
	err := b.configuring(ctx, func(c *connection) error {
		return rebind(ctx, c, buf.Exchange.Name, b.unfiltered.place(buf), add, remove)
	})
	if err != nil {
		return fmt.Errorf("bind buffer %q to exchange %q: %w", buf.Name, buf.Exchange.Name, err)
	}
	return nil
}

// rebind adds bindings that lead from an exchange to a place, and then removes others.
func rebind(ctx context.Context, c *connection, exchange string, to place, add, remove []broker.Binding) error {
	err := inLanes(ctx, c, add, func(ch *amqp091.Channel, key string, args amqp091.Table) error {
		return to.bind(ch, exchange, key, args)
	})
	if err == nil {
		err = inLanes(ctx, c, remove, func(ch *amqp091.Channel, key string, args amqp091.Table) error {
			return to.unbind(ch, exchange, key, args)
		})
	}
	if replied(err) != nil {
		return c.explain(err)
	}
	return err
}

// bindingCall makes or ends one binding.
type bindingCall func(ch *amqp091.Channel, key string, args amqp091.Table) error

// inLanes calls do for each binding, a long list on several channels. It returns the first error.
func inLanes(ctx context.Context, c *connection, list []broker.Binding, do bindingCall) error {
	var g errgroup.Group
	n := min(lanes, (len(list)+mostBindings-1)/mostBindings)
	for i := range n {
		part := list[i*len(list)/n : (i+1)*len(list)/n]
		g.Go(func() error {
			return onChannel(c, func(ch *amqp091.Channel) error { return pipeline(ctx, ch, part, do) })
		})
	}
	return g.Wait()
}

// pipeline calls do for many bindings at a time on one channel: RabbitMQ answers in order, and as all answers say the same
// it does not matter which caller gets which. (queue.unbind cannot be sent without asking for an answer.) It stops at the
// first error.
func pipeline(ctx context.Context, ch *amqp091.Channel, list []broker.Binding, do bindingCall) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(mostBindings)
	for _, x := range list {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			args, err := toTable(x.Arguments)
			if err != nil {
				return fmt.Errorf("binding %q: %w", x.Key, err)
			}
			return do(ch, x.Key, args)
		})
	}
	return g.Wait()
}
