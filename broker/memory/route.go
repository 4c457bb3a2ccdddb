package memory

import (
	"fmt"

	"weir/broker"
)

// routes are the queues that m goes to, each once, through as many exchanges as it takes.
func (b *Broker) routes(m *broker.Message) []*queue {
	r := routing{b: b, m: m, queues: map[*queue]bool{}, exchanges: map[*exchange]bool{}}
	keys := append([]string{m.RoutingKey}, copies(m.Headers, "CC")...)
	for _, key := range append(keys, copies(m.Headers, "BCC")...) {
		if m.Exchange == "" {
			r.reach(b.queues[key])
			continue
		}
		clear(r.exchanges)
		r.follow(b.exchanges[m.Exchange], key)
	}
	return r.to
}

// routing is one message on its way through exchanges.
type routing struct {
	b         *Broker
	m         *broker.Message
	to        []*queue
	queues    map[*queue]bool
	exchanges map[*exchange]bool // those passed with the present key: bindings may form a ring
}

func (r *routing) follow(x *exchange, key string) {
	if x == nil || r.exchanges[x] {
		return
	}
	r.exchanges[x] = true
	for _, b := range x.bindings {
		switch {
		case !Kind(x.Type).matches(b.Binding, key, r.m.Headers):
		case b.ToExchange:
			r.follow(r.b.exchanges[b.Destination], key)
		default:
			r.reach(r.b.queues[b.Destination])
		}
	}
}

func (r *routing) reach(q *queue) {
	if q != nil && !r.queues[q] && q.wants(r.m) {
		r.queues[q] = true
		r.to = append(r.to, q)
	}
}

// copies are the further routing keys of a message (sender-selected distribution).
func copies(headers broker.Table, name string) []string {
	list, _ := headers[name].(broker.Array)
	var keys []string
	for _, item := range list {
		if key, ok := item.(string); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// accept stores m in every queue it is routed to, or says why not.
func (b *Broker) accept(m *broker.Message) error {
	if b.maxSize > 0 && len(m.Body) > b.maxSize {
		return fmt.Errorf("%w: %d bytes, over %d", broker.ErrTooLarge, len(m.Body), b.maxSize)
	}
	if b.refuse != nil {
		if err := b.refuse(m); err != nil {
			return err
		}
	}
	to := b.routes(m)
	if len(to) == 0 {
		return fmt.Errorf("%w: exchange %q, routing key %q", broker.ErrUnroutable, m.Exchange, m.RoutingKey)
	}
	delete(m.Headers, "BCC")
	// Like RabbitMQ, one full queue refuses, and the others store it all the same.
	var err error
	for _, q := range to {
		if q.full() {
			err = fmt.Errorf("%w: queue %s is full", broker.ErrRefused, q.name)
			continue
		}
		q.store(m)
	}
	return err
}
