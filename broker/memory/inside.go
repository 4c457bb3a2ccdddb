package memory

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/broker"
)

// Below is what tests do to the broker and see of it, without a session. A queue or exchange that does not exist panics:
// the test is wrong.

// Declare makes a queue, durable as everything here. One that exists stays as it is.
func (b *Broker) Declare(name string, as Queue) { b.do(func() { b.declare(name, as) }) }

func (b *Broker) declare(name string, as Queue) *queue {
	if b.queues[name] == nil {
		q := &queue{b: b, name: name, Queue: as.obeying(), used: time.Now()}
		b.queues[name] = q
		if q.MessageTTL > 0 || q.Expires > 0 {
			b.mortal[q] = true
		}
		b.hint("")
	}
	return b.queues[name]
}

// DeclareExchange makes a durable exchange. One that exists stays as it is.
func (b *Broker) DeclareExchange(name string, kind Kind) {
	b.DeclareExchangeAs(broker.Exchange{Name: name, Type: string(kind), Durable: true})
}

// DeclareExchangeAs makes an exchange. One that exists stays as it is.
func (b *Broker) DeclareExchangeAs(as broker.Exchange) { b.do(func() { b.declareExchange(as) }) }

// Delete takes away a queue with all that is in it, and its bindings. Its sessions are lost.
func (b *Broker) Delete(queue string) { b.do(func() { b.queue(queue).delete() }) }

// DeleteExchange takes away an exchange and its bindings.
func (b *Broker) DeleteExchange(name string) {
	b.do(func() {
		delete(b.exchanges, b.exchange(name).Name)
		b.forget(name, true)
		b.hint("")
	})
}

// Bind routes what is published to an exchange with a matching key to a queue.
func (b *Broker) Bind(queue, exchange, key string) {
	b.AddBinding(exchange, broker.Binding{Destination: queue, Key: key})
}

// Unbind ends Bind.
func (b *Broker) Unbind(queue, exchange, key string) {
	b.RemoveBinding(exchange, broker.Binding{Destination: queue, Key: key})
}

// AddBinding binds a queue, or an exchange, to an exchange.
func (b *Broker) AddBinding(exchange string, binding broker.Binding) {
	b.do(func() {
		if binding.ToExchange {
			b.exchange(binding.Destination)
		} else {
			b.queue(binding.Destination)
		}
		b.bind(exchange, binding)
	})
}

func (b *Broker) bind(exchange string, binding broker.Binding) {
	if b.exchange(exchange).bind(binding) {
		b.hint(exchange)
	}
}

// RemoveBinding ends AddBinding.
func (b *Broker) RemoveBinding(exchange string, binding broker.Binding) {
	b.do(func() {
		if b.exchange(exchange).unbind(binding) {
			b.hint(exchange)
		}
	})
}

// Publish does what a producer does: each message goes to its own exchange and routing key.
func (b *Broker) Publish(ms ...*broker.Message) error {
	b.lock()
	defer b.mu.Unlock()
	var errs []error
	for _, m := range ms {
		if m.Exchange != "" {
			b.exchange(m.Exchange)
		}
		errs = append(errs, b.accept(addressed(m, broker.Address{})))
	}
	return errors.Join(errs...)
}

// Put publishes a message for each body to a queue, and panics if that does not take it.
func (b *Broker) Put(queue string, bodies ...string) {
	for _, body := range bodies {
		m := &broker.Message{RoutingKey: queue, Body: []byte(body), Properties: broker.Properties{DeliveryMode: 2}}
		if err := b.Publish(m); err != nil {
			panic(fmt.Sprintf("put %q: %v", body, err))
		}
	}
}

// Messages returns what is ready in a queue, and leaves it there.
func (b *Broker) Messages(queue string) []*broker.Message {
	b.lock()
	defer b.mu.Unlock()
	q := b.queue(queue)
	var ms []*broker.Message
	for _, e := range q.ready {
		ms = append(ms, q.message(e, 0))
	}
	return ms
}

// Bodies is Messages as text.
func (b *Broker) Bodies(queue string) []string {
	var bodies []string
	for _, m := range b.Messages(queue) {
		bodies = append(bodies, string(m.Body))
	}
	return bodies
}

// Take consumes as an application would: it removes and returns up to n ready messages.
func (b *Broker) Take(queue string, n int) []*broker.Message {
	b.lock()
	defer b.mu.Unlock()
	q := b.queue(queue)
	n = min(n, len(q.ready))
	var ms []*broker.Message
	for _, e := range q.ready[:n] {
		ms = append(ms, q.message(e, 0))
	}
	q.ready = slices.Delete(q.ready, 0, n)
	return ms
}

// Drain takes everything that is ready.
func (b *Broker) Drain(queue string) []*broker.Message { return b.Take(queue, int(^uint(0)>>1)) }

// QueueNames lists the queues.
func (b *Broker) QueueNames() []string {
	b.lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.queues))
}

// Consumers sets how many consumers of others a queue has beside those of Consume. They show in Depth and take nothing.
func (b *Broker) Consumers(queue string, n int) { b.do(func() { b.queue(queue).consumers = int64(n) }) }

// Opened returns how many sessions have been opened so far, closed ones included.
func (b *Broker) Opened() (sources, sinks int) {
	b.lock()
	defer b.mu.Unlock()
	return b.opened.sources, b.opened.sinks
}

func (b *Broker) queue(name string) *queue {
	q := b.queues[name]
	if q == nil {
		panic(fmt.Sprintf("broker %s has no queue %q", b.name, name))
	}
	return q
}

func (b *Broker) exchange(name string) *exchange {
	x := b.exchanges[name]
	if x == nil {
		panic(fmt.Sprintf("broker %s has no exchange %q", b.name, name))
	}
	return x
}
