package memory_test

import (
	"errors"
	"testing"

	"weir/broker"
	"weir/broker/memory"
)

func TestTopics(t *testing.T) {
	for _, c := range []struct {
		binding string
		yes, no []string
	}{
		{"order.created", []string{"order.created"}, []string{"order", "order.created.eu", ""}},
		{"order.*", []string{"order.created", "order."}, []string{"order", "order.created.eu"}},
		{"order.#", []string{"order", "order.created", "order.created.eu"}, []string{"orders", "the.order"}},
		{"#", []string{"", "order", "order.created"}, nil},
		{"*", []string{"", "order"}, []string{"order.created"}},
		{"#.created", []string{"created", "order.created", "eu.order.created"}, []string{"created.eu"}},
		{"order.#.eu", []string{"order.eu", "order.created.eu", "order.a.b.eu.eu"}, []string{"order", "order.created"}},
		{"#.*", []string{"", "order", "order.created"}, nil},
		{"", []string{""}, []string{"order"}},
	} {
		b := memory.New("eu")
		b.DeclareExchange("shop", memory.Topic)
		b.Declare("q", memory.Queue{})
		b.Bind("q", "shop", c.binding)
		for _, key := range c.yes {
			if err := publish(b, "shop", key); err != nil {
				t.Errorf("binding %q, key %q: got %v, want it routed", c.binding, key, err)
			}
		}
		for _, key := range c.no {
			if err := publish(b, "shop", key); !errors.Is(err, broker.ErrUnroutable) {
				t.Errorf("binding %q, key %q: got %v, want ErrUnroutable", c.binding, key, err)
			}
		}
	}
}

func TestKindsOfExchange(t *testing.T) {
	b := memory.New("eu")
	b.DeclareExchange("direct", memory.Direct)
	b.DeclareExchange("fanout", memory.Fanout)
	b.Declare("q", memory.Queue{})
	b.Bind("q", "direct", "order.*")
	b.Bind("q", "fanout", "ignored")
	if err := publish(b, "direct", "order.created"); !errors.Is(err, broker.ErrUnroutable) {
		t.Errorf("a direct exchange takes a binding literally: got %v", err)
	}
	check(t, publish(b, "direct", "order.*"))
	check(t, publish(b, "fanout", "any"))
	wantBodies(t, b, "q", "order.*", "any")
	b.Unbind("q", "fanout", "ignored")
	if err := publish(b, "fanout", "any"); !errors.Is(err, broker.ErrUnroutable) {
		t.Errorf("after Unbind: got %v, want ErrUnroutable", err)
	}
}

// Two bindings of one queue are no two messages, and a full queue does not keep others from theirs.
func TestOneMessageToSeveralQueues(t *testing.T) {
	b := memory.New("eu")
	b.DeclareExchange("shop", memory.Topic)
	b.Declare("full", memory.Queue{MaxLength: 1})
	b.Declare("free", memory.Queue{})
	b.Bind("full", "shop", "#")
	b.Bind("free", "shop", "#")
	b.Bind("free", "shop", "*")
	check(t, publish(b, "shop", "1"))
	if err := publish(b, "shop", "2"); !errors.Is(err, broker.ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	wantBodies(t, b, "full", "1")
	wantBodies(t, b, "free", "1", "2")
}

// publish sends a message whose body is its key.
func publish(b *memory.Broker, exchange, key string) error {
	return b.Publish(&broker.Message{Exchange: exchange, RoutingKey: key, Body: []byte(key)})
}
