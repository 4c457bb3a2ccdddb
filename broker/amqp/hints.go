package amqp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

const (
	// eventExchange is where the plugin rabbitmq_event_exchange publishes what happens in all vhosts. It is itself in one
	// of them (event_exchange.vhost), by default in "/".
	eventExchange      = "amq.rabbitmq.event"
	defaultVHost       = "/"
	mostEvents         = 1000 // that wait on the broker; the oldest are dropped
	eventPrefetch      = 100
	bindingCreated     = "binding.created"
	bindingDeleted     = "binding.deleted"
	sourceOfBinding    = "source_name"
	vhostOfEvent       = "vhost"
	hintsHowToHaveThem = "enable the plugin rabbitmq_event_exchange, and let the user configure and write queues that begin with \"weir: \" " +
		"and read amq.rabbitmq.event in the vhost that it is in"
)

// events are those that say what exists. No others are asked for: some carry passwords.
var events = [...]string{
	bindingCreated, bindingDeleted, "exchange.created", "exchange.deleted", "queue.created", "queue.deleted",
}

// hints is a consumer of events.
type hints struct {
	broker     *Broker
	conn       *connection
	ch         *amqp091.Channel
	deliveries <-chan amqp091.Delivery
}

// Hints implements broker.Catalog, on the event exchange. It is looked for in the broker's own vhost, then in "/".
func (b *Broker) Hints(ctx context.Context) (<-chan broker.Hint, error) {
	h, err := await(ctx, b.pool, func() (*hints, error) { return b.openHints(ctx) }, (*hints).close)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	out := make(chan broker.Hint)
	b.pool.running.Go(func() {
		defer close(out)
		defer h.close()
		h.pass(ctx, out)
	})
	return out, nil
}

func (b *Broker) openHints(ctx context.Context) (*hints, error) {
	var why error
	for _, vhost := range [...]string{b.config.VHost, defaultVHost} {
		h, err := b.hintsIn(ctx, vhost)
		if err == nil {
			return h, nil
		}
		if !errors.Is(err, broker.ErrNotFound) && !errors.Is(err, broker.ErrDenied) {
			return nil, err
		}
		if why == nil || !errors.Is(err, broker.ErrNotFound) { // what is forbidden tells more than what is not there
			why = err
		}
		if vhost == defaultVHost {
			break
		}
	}
	return nil, fmt.Errorf("%s: %w: %s", hintsHowToHaveThem, broker.ErrUnsupported, why.Error())
}

func (b *Broker) hintsIn(ctx context.Context, vhost string) (*hints, error) {
	conn, err := b.pool.acquire(ctx, order{role: consuming, link: "events", vhost: vhost})
	if err != nil {
		return nil, err
	}
	ch, err := findExchange(conn, eventExchange)
	if err != nil {
		b.pool.release(conn)
		return nil, err
	}
	h := &hints{broker: b, conn: conn, ch: ch}
	if err := h.consume(); err != nil {
		h.close()
		return nil, conn.explain(err)
	}
	return h, nil
}

func (h *hints) consume() error {
	const durable, autoDelete, exclusive = false, true, true
	q, err := h.ch.QueueDeclare(ownPrefix+"events "+rand.Text(), durable, autoDelete, exclusive, false, amqp091.Table{
		amqp091.QueueTypeArg:     amqp091.QueueTypeClassic, // whatever is the vhost's default
		amqp091.QueueMaxLenArg:   int32(mostEvents),
		amqp091.QueueOverflowArg: amqp091.QueueOverflowDropHead,
	})
	if err != nil {
		return err
	}
	for _, event := range events {
		if err := h.ch.QueueBind(q.Name, event, eventExchange, false, nil); err != nil {
			return err
		}
	}
	if err := h.ch.Qos(eventPrefetch, 0, false); err != nil {
		return err
	}
	h.deliveries, err = h.ch.Consume(q.Name, "", false, exclusive, false, false, nil)
	return err
}

// pass passes on what happens in the broker's vhost until ctx ends or the consumer does.
func (h *hints) pass(ctx context.Context, out chan<- broker.Hint) {
	for {
		select {
		case d, ok := <-h.deliveries:
			if !ok {
				return
			}
			if hint, ours := h.broker.hint(&d); ours {
				select {
				case out <- hint:
				case <-ctx.Done():
					return
				}
			}
			_ = d.Ack(false) // an error is the end of the channel, and of its deliveries
		case <-ctx.Done():
			return
		}
	}
}

// hint reads an event: its headers tell what it is about.
func (b *Broker) hint(d *amqp091.Delivery) (hint broker.Hint, ours bool) {
	if vhost, ok := d.Headers[vhostOfEvent].(string); ok && vhost != b.config.VHost {
		return broker.Hint{}, false
	}
	if d.RoutingKey == bindingCreated || d.RoutingKey == bindingDeleted {
		hint.Exchange, _ = d.Headers[sourceOfBinding].(string)
		if hint.Exchange == "" { // a queue's binding to the default exchange
			return broker.Hint{}, false
		}
	}
	return hint, true
}

func (h *hints) close() { _ = h.broker.pool.vacate(h.conn, h.ch) } // the queue goes either way
