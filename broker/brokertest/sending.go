package brokertest

import (
	"errors"
	"slices"

	"weir/broker"
)

// Behaviours of a Sink that the broker serves well.
const (
	SendInOrder   = "what is sent arrives in order"
	Pipeline      = "1000 messages are sent before the first answer is looked at"
	ConfirmsApart = "confirms can be waited for in any order"
	Unconfirmed   = "an unconfirmed sink answers by itself"
	SendUnchanged = "Send does not change the message"
	SendAgain     = "a message can be sent again, and by another sink"
	CloseSink     = "Close of a sink settles what is pending as lost"
	ExchangeKey   = "a sink replaces exchange and routing key by its own"
	ZeroAddress   = "a sink on the zero address keeps the message's own"

	// ExchangeSource is about the source of an exchange, which takes a sink to see.
	ExchangeSource = "an exchange as a source keeps what comes while it is away"
)

var sending = []behaviour{
	{name: SendInOrder, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.confirmed(t.send(t.sink(q.Sink), texts(numbers(1, 100)...)...))
		t.bodies(t.take(q, 100), numbers(1, 100)...)
	}},

	{name: Pipeline, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.confirmed(t.send(t.sink(q.Sink), texts(numbers(1, 1000)...)...))
		t.bodies(t.take(q, 1000), numbers(1, 1000)...)
	}},

	{name: ConfirmsApart, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		confirms := t.send(t.sink(q.Sink), texts(numbers(1, 50)...)...)
		slices.Reverse(confirms)
		t.confirmed(confirms)
		t.confirmed(confirms) // an answer can be read twice
	}},

	{name: Unconfirmed, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		s, err := t.Broker.OpenSink(t.within(), q.Sink, broker.SinkOptions{Link: "link", Site: site, Predeclared: true, Unconfirmed: true})
		if err != nil {
			t.Fatalf("OpenSink: %v", err)
		}
		t.confirmed(t.send(s, texts(numbers(1, 50)...)...))
		t.bodies(t.take(q, 50), numbers(1, 50)...)
		if err := s.Close(); err != nil {
			t.Fatalf("close the sink: %v", err)
		}
	}},

	{name: SendUnchanged, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		before, sent := Rich(), Rich()
		before.Properties.UserID, sent.Properties.UserID = t.UserID, t.UserID
		t.confirmed(t.send(t.sink(q.Sink), sent))
		if d := diff(before, sent); d != "" {
			t.Fatalf("Send changed the message (-before +after):\n%s", d)
		}
	}},

	{name: SendAgain, run: func(t *test) {
		q, other := t.Queue(QueueOptions{}), t.Queue(QueueOptions{})
		ms := texts("1")
		s := t.sink(q.Sink)
		t.confirmed(t.send(s, ms...))
		t.confirmed(t.send(s, ms...))
		t.confirmed(t.send(t.sink(other.Sink), ms...))
		t.bodies(t.take(q, 2), "1", "1")
		t.bodies(t.take(other, 1), "1")
	}},

	{name: CloseSink, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		s := t.sink(q.Sink)
		t.Hold()
		confirms := t.send(s, texts(numbers(1, 10)...)...)
		t.pending(confirms)
		closing := make(chan error, 1)
		go func() { closing <- s.Close() }()
		for i, c := range confirms {
			if err := t.answer(c); !errors.Is(err, broker.ErrLost) {
				t.Errorf("message %d: got %v, want ErrLost", i+1, err)
			}
		}
		t.Release()
		select {
		case <-closing: // with whatever error: there may be nobody to say goodbye to
		case <-t.within().Done():
			t.Fatalf("Close has not returned within %v", t.timeout)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close for the second time: %v", err)
		}
		if _, err := s.Send(t.within(), texts("11")[0]); err == nil {
			t.Error("Send after Close: got no error")
		}
	}},

	{name: ZeroAddress, run: func(t *test) {
		one, two := t.Queue(QueueOptions{}), t.Queue(QueueOptions{})
		s := t.sink(broker.Address{})
		var confirms []broker.Confirm
		for _, m := range []*broker.Message{
			along(one.Route, "1"), along(two.Route, "2"), along(one.Route, "3"),
		} {
			confirms = append(confirms, t.send(s, m)...)
		}
		t.confirmed(confirms)
		t.bodies(t.take(one, 2), "1", "3")
		t.bodies(t.take(two, 1), "2")
	}},

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
			t.answer(c) // who else gets what this source does not is not its business
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

// exchangeSource receives from an exchange through the durable queue of this suite's link.
func (t *test) exchangeSource(exchange, key string) broker.Source {
	t.Helper()
	at := broker.Address{Exchange: exchange, RoutingKey: key}
	s, err := t.Broker.OpenSource(t.within(), at, broker.SourceOptions{Link: "link", Site: site, Window: 10})
	if err != nil {
		t.Fatalf("OpenSource %v: %v", at, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// along is a message that says itself where it goes.
func along(r Route, body string) *broker.Message {
	m := texts(body)[0]
	m.Exchange, m.RoutingKey, m.Subject = r.Exchange, r.RoutingKey, r.Subject
	return m
}
