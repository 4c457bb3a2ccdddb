package memory_test

import (
	"fmt"
	"testing"

	"weir/broker"
	"weir/broker/memory"
)

// The rows are those of RabbitMQ's documentation of headers exchanges, and of rabbit_exchange_type_headers.
func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		binding, headers broker.Table
		want             bool
	}{
		{nil, nil, true},
		{broker.Table{"a": "1"}, broker.Table{"a": "1", "b": "2"}, true},
		{broker.Table{"a": "1"}, broker.Table{"b": "1"}, false},
		{broker.Table{"a": "1", "b": "2"}, broker.Table{"a": "1"}, false},
		{broker.Table{"x-match": "all", "a": "1"}, broker.Table{"a": "2"}, false},
		{broker.Table{"x-match": "any", "a": "1", "b": "2"}, broker.Table{"b": "2"}, true},
		{broker.Table{"x-match": "any", "a": "1", "b": "2"}, broker.Table{"a": "2"}, false},
		{broker.Table{"x-match": "any"}, broker.Table{"a": "1"}, false},
		// What begins with x- counts only if it is asked for.
		{broker.Table{"x-match": "all", "x-a": "1"}, nil, true},
		{broker.Table{"x-match": "any", "x-a": "1"}, broker.Table{"x-a": "1"}, false},
		{broker.Table{"x-match": "all-with-x", "x-a": "1"}, nil, false},
		{broker.Table{"x-match": "any-with-x", "x-a": "1"}, broker.Table{"x-a": "1"}, true},
		// No value asks for presence.
		{broker.Table{"a": nil}, broker.Table{"a": "1"}, true},
		{broker.Table{"a": nil}, broker.Table{"b": "1"}, false},
		// Numbers are equal whatever their width, and no text.
		{broker.Table{"a": int64(5)}, broker.Table{"a": int8(5)}, true},
		{broker.Table{"a": uint16(5)}, broker.Table{"a": int32(5)}, true},
		{broker.Table{"a": int64(5)}, broker.Table{"a": "5"}, false},
		{broker.Table{"a": float32(0.5)}, broker.Table{"a": 0.5}, true},
	} {
		b := memory.New("eu")
		b.DeclareExchange("shop", memory.Headers)
		b.Declare("q", memory.Queue{})
		b.AddBinding("shop", broker.Binding{Destination: "q", Arguments: c.binding})
		err := b.Publish(&broker.Message{Exchange: "shop", Headers: c.headers})
		if got := err == nil; got != c.want {
			t.Errorf("binding %v, headers %v: routed %v (%v), want %v", c.binding, c.headers, got, err, c.want)
		}
	}
}

// A message passes each exchange once, though bindings form a ring, and gets into each queue once, whatever the ways.
func TestExchangesBoundToExchanges(t *testing.T) {
	b := memory.New("eu")
	for n := range 3 {
		b.DeclareExchange(fmt.Sprint(n), memory.Topic)
		b.Declare(fmt.Sprint("q", n), memory.Queue{})
		b.Bind(fmt.Sprint("q", n), fmt.Sprint(n), "#")
	}
	onward := func(from, to, key string) {
		b.AddBinding(from, broker.Binding{Destination: to, ToExchange: true, Key: key})
	}
	onward("0", "1", "order.*")
	onward("1", "2", "*.paid")
	onward("2", "0", "#")
	check(t, publish(b, "0", "order.paid"))
	check(t, publish(b, "0", "order.sent"))
	wantBodies(t, b, "q0", "order.paid", "order.sent")
	wantBodies(t, b, "q1", "order.paid", "order.sent")
	wantBodies(t, b, "q2", "order.paid")
	b.DeleteExchange("1")
	check(t, publish(b, "0", "order.paid"))
	wantBodies(t, b, "q2", "order.paid")
}

// CC and BCC are further keys; BCC is not delivered.
func TestCopies(t *testing.T) {
	b := memory.New("eu")
	for _, q := range []string{"to", "cc", "bcc"} {
		b.Declare(q, memory.Queue{})
	}
	check(t, b.Publish(&broker.Message{RoutingKey: "to", Headers: broker.Table{"CC": broker.Array{"cc", "to"}, "BCC": broker.Array{"bcc"}}}))
	for _, q := range []string{"to", "cc", "bcc"} {
		ms := b.Messages(q)
		if len(ms) != 1 || ms[0].Headers["CC"] == nil || ms[0].Headers["BCC"] != nil {
			t.Errorf("%s holds %v, want one message with CC and without BCC", q, ms)
		}
	}
}
