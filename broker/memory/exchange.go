package memory

import (
	"fmt"
	"slices"
	"strings"

	"weir/broker"
)

// Kind is how an exchange matches a routing key with the keys of its bindings.
type Kind string

// The kinds of exchange, by RabbitMQ's names.
const (
	Direct Kind = "direct"
	Fanout Kind = "fanout"
	Topic  Kind = "topic"
)

type exchange struct {
	kind     Kind
	bindings []binding
}

type binding struct {
	queue *queue
	key   string
}

func (x *exchange) bind(q *queue, key string) {
	if b := (binding{q, key}); !slices.Contains(x.bindings, b) {
		x.bindings = append(x.bindings, b)
	}
}

func (x *exchange) matches(pattern, key string) bool {
	switch x.kind {
	case Fanout:
		return true
	case Topic:
		return topicMatches(strings.Split(pattern, "."), strings.Split(key, "."))
	}
	return pattern == key
}

// topicMatches: "*" stands for one word, "#" for any number of words, none too.
func topicMatches(pattern, words []string) bool {
	if len(pattern) == 0 {
		return len(words) == 0
	}
	if pattern[0] == "#" {
		return topicMatches(pattern[1:], words) || len(words) > 0 && topicMatches(pattern, words[1:])
	}
	return len(words) > 0 && (pattern[0] == "*" || pattern[0] == words[0]) && topicMatches(pattern[1:], words[1:])
}

// routes are the queues that m goes to, each once.
func (b *Broker) routes(m *broker.Message) []*queue {
	if m.Exchange == "" {
		if q := b.queues[m.RoutingKey]; q != nil {
			return []*queue{q}
		}
		return nil
	}
	var to []*queue
	x := b.exchanges[m.Exchange]
	for _, bound := range x.bindings {
		if x.matches(bound.key, m.RoutingKey) && !slices.Contains(to, bound.queue) {
			to = append(to, bound.queue)
		}
	}
	return to
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
