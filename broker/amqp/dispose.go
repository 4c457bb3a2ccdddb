package amqp

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

const (
	// statistics is how long the management API may take to know what the queue knows, and askAgain how often it is asked.
	statistics = 15 * time.Second
	askAgain   = 500 * time.Millisecond
	// promptly is how soon a quorum queue answers if it answers for itself: after 250 ms RabbitMQ says 0 and 0 in its place.
	promptly = 200 * time.Millisecond
)

// DeleteBuffer implements broker.Disposer. RabbitMQ itself can delete a classic queue on the condition that it is unused
// and empty, but not a quorum queue. That one goes when a passive declare and the management API agree that it holds
// nothing, delivered or not, and has no consumer; what is published between that and the end is lost, as all that comes
// after the end is.
func (b *Broker) DeleteBuffer(ctx context.Context, name string, force bool) error {
	err := b.configuring(ctx, func(c *connection) error {
		var err error
		if force {
			err = deleteQueue(c, name, false)
		} else {
			err = b.deleteUnused(ctx, c, name)
		}
		if err != nil {
			return err
		}
		return deleteFilter(c, name)
	})
	if err != nil {
		return fmt.Errorf("delete buffer %q: %w", name, err)
	}
	return nil
}

func (b *Broker) deleteUnused(ctx context.Context, c *connection, name string) error {
	m, err := b.api()
	if err != nil {
		return err
	}
	info, err := b.unused(ctx, m, name)
	if errors.Is(err, broker.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return deleteQueue(c, name, info.Type == "classic")
}

// unused returns when two sources agree that a queue is unused and empty.
func (b *Broker) unused(ctx context.Context, m *management, name string) (queue, error) {
	patience := time.NewTimer(statistics)
	defer patience.Stop()
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for {
		asked := time.Now()
		counted, err := b.probes.count(ctx, name)
		if err != nil {
			return queue{}, err
		}
		if counted.Messages > 0 || counted.Consumers > 0 {
			return queue{}, fmt.Errorf("%w: %d messages ready, %d consumers", broker.ErrInUse, counted.Messages, counted.Consumers)
		}
		prompt := time.Since(asked) < promptly
		info, err := m.queue(ctx, b.config.VHost, name)
		if err != nil {
			return queue{}, err
		}
		if (prompt || info.Type == "classic") && info.empty() && info.Unacked != nil && *info.Unacked == 0 {
			return info, nil
		}
		select {
		case <-tick.C:
		case <-patience.C:
			return queue{}, fmt.Errorf("%w: the management API counts %s messages ready, %s delivered, %s consumers",
				broker.ErrInUse, told(info.Ready), told(info.Unacked), told(info.Consumers))
		case <-ctx.Done():
			return queue{}, ctx.Err()
		}
	}
}

func told(n *int64) string {
	if n == nil {
		return broker.Count{}.String()
	}
	return broker.Counted(*n).String()
}

// deleteQueue deletes a queue; one that is missing is no mistake to RabbitMQ.
func deleteQueue(c *connection, name string, ifUnused bool) error {
	err := onChannel(c, func(ch *amqp091.Channel) error {
		_, err := ch.QueueDelete(name, ifUnused, ifUnused, false)
		return err
	})
	switch {
	case err == nil:
		return nil
	case code(err) == amqp091.PreconditionFailed:
		return fmt.Errorf("%w: %s", broker.ErrInUse, words(err))
	default:
		return c.explain(err)
	}
}
