package amqp

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// receivedFrom is the header in which a message lists the links it has crossed.
const receivedFrom = "x-received-from"

// A buffer that wants only messages that have crossed no link yet (Buffer.FirstHop) is bound by way of two exchanges of
// its own, because RabbitMQ has no binding that says "not":
//
//	exchange -> filter (headers) -> filter           messages with an x-received-from: they lead nowhere, in a circle
//	                   |
//	                   alternate-exchange -> passed (fanout) -> queue      all others
//
// RabbitMQ sends to the alternate exchange what no binding of an exchange matches, whatever becomes of it then, and visits
// an exchange once for a message. Publishers see what they would see without the filter: a message that it keeps out, and
// nobody else wants, is returned if it is mandatory. any-with-x, which lets a headers exchange look at names with x-, is
// there since RabbitMQ 3.10.

func filterName(buffer string) string { return shorten(buffer+" filter", mostShort) }
func passedName(buffer string) string { return shorten(buffer+" passed", mostShort) }

// place is what bindings of a buffer lead to.
type place struct {
	filter bool
	name   string
}

func queueOf(buffer string) place  { return place{name: buffer} }
func filterOf(buffer string) place { return place{filter: true, name: filterName(buffer)} }

func (p place) bind(ch *amqp091.Channel, exchange, key string, args amqp091.Table) error {
	if p.filter {
		return ch.ExchangeBind(p.name, key, exchange, false, args)
	}
	return ch.QueueBind(p.name, key, exchange, false, args)
}

func (p place) unbind(ch *amqp091.Channel, exchange, key string, args amqp091.Table) error {
	if p.filter {
		return ch.ExchangeUnbind(p.name, key, exchange, false, args)
	}
	return ch.QueueUnbind(p.name, key, exchange, args)
}

// bindings reads what leads from an exchange to p.
func (p place) bindings(ctx context.Context, m *management, vhost, exchange string) ([]broker.Binding, error) {
	path := []string{"queues", vhost, p.name, "bindings"}
	if p.filter {
		path = []string{"exchanges", vhost, p.name, "bindings", "destination"}
	}
	var rows []binding
	if err := m.list(ctx, &rows, bindingColumns, path...); err != nil {
		return nil, err
	}
	var list []broker.Binding
	for _, r := range rows {
		if r.Source == exchange {
			list = append(list, broker.Binding{Key: r.Key, Arguments: broker.Table(r.Arguments)})
		}
	}
	return list, nil
}

// unfiltered remembers the buffers that want a filter and cannot have one.
type unfiltered struct {
	mu    sync.Mutex
	names map[string]bool
	once  sync.Once // tells the operator
}

// place is where bindings of buf go, once it has been declared.
func (u *unfiltered) place(buf broker.Buffer) place {
	u.mu.Lock()
	defer u.mu.Unlock()
	if buf.FirstHop && !u.names[buf.Name] {
		return filterOf(buf.Name)
	}
	return queueOf(buf.Name)
}

func (u *unfiltered) set(name string, without bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.names == nil {
		u.names = make(map[string]bool)
	}
	u.names[name] = without
}

// filter makes the filter of a buffer that wants one, if this user may, and moves bindings that lead elsewhere.
func (b *Broker) filter(ctx context.Context, c *connection, buf broker.Buffer) error {
	if !buf.FirstHop {
		return b.move(ctx, c, buf, filterOf(buf.Name), queueOf(buf.Name))
	}
	err := declareFilter(c, buf.Name)
	cannot := code(err) == amqp091.AccessRefused || code(err) == amqp091.PreconditionFailed
	b.unfiltered.set(buf.Name, cannot)
	switch {
	case cannot:
		b.unfiltered.once.Do(func() {
			b.log.Warn("messages that have crossed a link before come too, to be dropped on arrival: the broker refused a filter",
				"buffer", buf.Name, "error", words(err))
		})
		return nil
	case err != nil:
		return c.explain(err)
	}
	return b.move(ctx, c, buf, queueOf(buf.Name), filterOf(buf.Name))
}

// declareFilter makes the two exchanges, the first one last: where it is, it leads to the queue.
func declareFilter(c *connection, buffer string) error {
	filter, passed := filterName(buffer), passedName(buffer)
	return onChannel(c, func(ch *amqp091.Channel) error {
		const durable, autoDelete, internal = true, false, true
		return errors.Join(
			ch.ExchangeDeclare(passed, amqp091.ExchangeFanout, durable, autoDelete, internal, false, nil),
			ch.QueueBind(buffer, "", passed, false, nil),
			ch.ExchangeDeclare(filter, amqp091.ExchangeHeaders, durable, autoDelete, internal, false, amqp091.Table{
				"alternate-exchange": passed,
			}),
			ch.ExchangeBind(filter, "", filter, false, amqp091.Table{"x-match": "any-with-x", receivedFrom: nil}),
		)
	})
}

// move makes bindings of a buffer lead to another place: first there too, then no longer here. (A message for which both
// are bound arrives once.) Without a management API nobody knows what was bound.
func (b *Broker) move(ctx context.Context, c *connection, buf broker.Buffer, from, to place) error {
	if b.management == nil {
		return nil
	}
	list, err := from.bindings(ctx, b.management, b.config.VHost, buf.Exchange.Name)
	if err != nil || len(list) == 0 {
		return err
	}
	if err := rebind(ctx, c, buf.Exchange.Name, to, list, nil); err != nil {
		return fmt.Errorf("move bindings: %w", err)
	}
	if err := rebind(ctx, c, buf.Exchange.Name, from, nil, list); err != nil {
		return fmt.Errorf("move bindings: %w", err)
	}
	if from.filter {
		return deleteFilter(c, buf.Name)
	}
	return nil
}

// deleteFilter takes the two exchanges away. Who may not has not made them.
func deleteFilter(c *connection, buffer string) error {
	for _, name := range [...]string{filterName(buffer), passedName(buffer)} {
		err := onChannel(c, func(ch *amqp091.Channel) error { return ch.ExchangeDelete(name, false, false) })
		if err != nil && code(err) != amqp091.AccessRefused {
			return c.explain(err)
		}
	}
	return nil
}
