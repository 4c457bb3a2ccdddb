package brokertest

import "weir/broker"

// Behaviours of exchanges, as what sinks publish to and sources receive from.
const (
	ExchangeKey    = "a sink replaces exchange and routing key by its own"
	ExchangeSource = "an exchange as a source keeps what comes while it is away"
)

var exchanges = []behaviour{
	{name: ExchangeKey, run: func(t *test) {
		x := t.Exchange()
		s := t.exchangeSource(x, "#")
		own := along(Route{Exchange: "other", RoutingKey: "of.its.own"}, "1")
		t.confirmed(t.send(t.sink(broker.Address{Exchange: x}), own))
		t.confirmed(t.send(t.sink(broker.Address{Exchange: x, RoutingKey: "order.created"}), own))
		got := t.receive(s, 2)
		for i, key := range []string{"of.its.own", "order.created"} {
			if got[i].Exchange != x || got[i].RoutingKey != key {
				t.Errorf("message %d came by exchange %q, key %q, want %q, %q", i+1, got[i].Exchange, got[i].RoutingKey, x, key)
			}
		}
	}},

	{name: ExchangeSource, run: func(t *test) {
		x := t.Exchange()
		s := t.exchangeSource(x, "order.*")
		k := t.sink(broker.Address{Exchange: x})
		by := func(key, body string) *broker.Message { return along(Route{RoutingKey: key}, body) }
		for _, c := range t.send(k, by("order.created", "1"), by("invoice.paid", "2"), by("order.eu.paid", "3"), by("order.paid", "4")) {
			_ = t.answer(c) // who else gets what this source does not is not its business
		}
		got := t.receive(s, 2)
		t.bodies(got, "1", "4")
		t.nothing(s)
		t.ack(s, got[1])
		t.shut(s)
		t.confirmed(t.send(k, by("order.created", "5")))
		t.bodies(t.receive(t.exchangeSource(x, "order.*"), 1), "5")
	}},
}

// exchangeSource receives from an exchange through the durable queue of a link of this test's own.
func (t *test) exchangeSource(exchange, key string) broker.Source {
	t.Helper()
	at := broker.Address{Exchange: exchange, RoutingKey: key, Queue: "weir: " + t.ownName()}
	s, err := t.Broker.OpenSource(t.within(), at, broker.SourceOptions{Link: t.ownName(), Site: site, Window: 10})
	if err != nil {
		t.Fatalf("OpenSource %v: %v", at, err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
