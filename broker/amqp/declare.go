package amqp

import (
	"errors"
	"fmt"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// foreign refuses addresses in the words of another broker.
func foreign(at broker.Address) error {
	if at.Stream != "" || at.Consumer != "" || at.Subject != "" {
		return fmt.Errorf("%v: RabbitMQ knows queue, exchange and routing-key: %w", at, broker.ErrUnsupported)
	}
	return nil
}

// findExchange opens a channel and looks for an exchange. Exchanges are never declared: only their owner knows their
// type.
func findExchange(c *connection, name string) (*amqp091.Channel, error) {
	ch, err := c.amqp.Channel()
	if err != nil {
		return nil, c.explain(err)
	}
	// Of a passive declare RabbitMQ looks at the name only.
	if err := ch.ExchangeDeclarePassive(name, amqp091.ExchangeDirect, true, false, false, false, nil); err != nil {
		_ = ch.Close()
		return nil, c.explain(err)
	}
	return ch, nil
}

// findQueue opens a channel and looks for a queue. A queue that is not there costs the channel. The error is the
// library's own.
func findQueue(c *connection, name string) (*amqp091.Channel, amqp091.Queue, error) {
	ch, err := c.amqp.Channel()
	if err != nil {
		return nil, amqp091.Queue{}, err
	}
	q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
	if err != nil {
		_ = ch.Close()
		return nil, amqp091.Queue{}, err
	}
	return ch, q, nil
}

// errHidden: whether the queue is there is not for this user to know. RabbitMQ 4.3 lets look only who has some permission
// on it.
var errHidden = errors.New("no permission to look")

// ensureQueue opens a channel and makes sure that a queue is there: it is declared, durable, if it is missing and not
// predeclared. One that exists is taken as it is.
func ensureQueue(c *connection, name string, predeclared bool, args broker.Table) (*amqp091.Channel, error) {
	ch, _, err := findQueue(c, name)
	switch {
	case err == nil:
		return ch, nil
	case code(err) == amqp091.NotFound && !predeclared:
		return declareQueue(c, name, args)
	case code(err) == amqp091.AccessRefused:
		return nil, fmt.Errorf("%w: %w", errHidden, c.explain(err))
	default:
		return nil, c.explain(err)
	}
}

// declareQueue opens a channel and declares a queue that was missing.
func declareQueue(c *connection, name string, args broker.Table) (*amqp091.Channel, error) {
	table, err := toTable(args)
	if err != nil {
		return nil, fmt.Errorf("arguments of queue %q: %w: %w", name, broker.ErrUnsupported, err)
	}
	ch, err := c.amqp.Channel()
	if err != nil {
		return nil, c.explain(err)
	}
	if _, err := ch.QueueDeclare(name, true, false, false, false, table); err != nil {
		_ = ch.Close()
		if code(err) == amqp091.NotFound { // a classic queue that exists, on a node that is down
			return nil, fmt.Errorf("queue %q is out of reach: %s", name, words(err))
		}
		return nil, c.explain(err)
	}
	return ch, nil
}
