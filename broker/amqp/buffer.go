package amqp

import (
	"context"
	"errors"
	"fmt"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// configuring runs do with a connection, and gives up waiting for it when ctx ends.
func (b *Broker) configuring(ctx context.Context, do func(c *connection) error) error {
	_, err := await(ctx, b.pool, func() (struct{}, error) {
		c, err := b.pool.acquire(ctx, order{role: consuming, link: "topology"})
		if err != nil {
			return struct{}{}, err
		}
		defer b.pool.release(c)
		return struct{}{}, do(c)
	}, nil)
	return err
}

// onChannel runs do with a channel of its own. An error of do is the broker's if it has closed the channel.
func onChannel(c *connection, do func(ch *amqp091.Channel) error) error {
	ch, err := c.amqp.Channel()
	if err != nil {
		return c.explain(err)
	}
	closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
	if err := do(ch); err != nil {
		if ch.IsClosed() {
			if reply := reason(<-closed); reply != nil { // who calls at the same time gets no other error than that it is closed
				err = reply
			}
		}
		_ = ch.Close()
		return err
	}
	if err := ch.Close(); err != nil {
		return c.explain(err)
	}
	return nil
}

// DeclareBuffer implements broker.Buffers. The queue is durable. An exchange of a type that this broker does not know is
// ErrUnsupported.
func (b *Broker) DeclareBuffer(ctx context.Context, buf broker.Buffer) error {
	err := b.configuring(ctx, func(c *connection) error {
		if err := declareExchange(c, buf.Exchange); err != nil {
			return fmt.Errorf("exchange %q: %w", buf.Exchange.Name, err)
		}
		if err := declareBufferQueue(c, buf); err != nil {
			return err
		}
		return b.filter(ctx, c, buf)
	})
	if err != nil {
		return fmt.Errorf("buffer %q: %w", buf.Name, err)
	}
	return nil
}

// declareExchange makes sure that an exchange is there.
func declareExchange(c *connection, x broker.Exchange) error {
	ch, err := findExchange(c, x.Name)
	if err == nil {
		return ch.Close()
	}
	if !errors.Is(err, broker.ErrNotFound) || x.Type == "" {
		return err
	}
	args, err := toTable(x.Arguments)
	if err != nil {
		return fmt.Errorf("arguments: %w: %w", broker.ErrUnsupported, err)
	}
	err = onChannel(c, func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclare(x.Name, x.Type, x.Durable, x.AutoDelete, x.Internal, false, args)
	})
	switch {
	case err == nil:
		return nil
	case code(err) == amqp091.PreconditionFailed: // of another type, made meanwhile; or of a type that 4.x does not know
		again, missing := findExchange(c, x.Name)
		if missing != nil {
			return fmt.Errorf("%w: %s", broker.ErrUnsupported, words(err))
		}
		return again.Close()
	default:
		return c.explain(err)
	}
}

func declareBufferQueue(c *connection, buf broker.Buffer) error {
	args, err := toTable(buf.Arguments)
	if err != nil {
		return fmt.Errorf("arguments: %w: %w", broker.ErrUnsupported, err)
	}
	err = onChannel(c, func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclare(buf.Name, true, false, false, false, args)
		return err
	})
	switch {
	case err == nil:
		return nil
	case code(err) == amqp091.PreconditionFailed:
		return fmt.Errorf("%w: %s", broker.ErrMismatch, words(err))
	default:
		return c.explain(err)
	}
}
