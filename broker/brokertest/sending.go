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
	ZeroAddress   = "a sink on the zero address keeps the message's own"
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
		closing := make(chan struct{})
		go func() {
			_ = s.Close() // there may be nobody to say goodbye to
			close(closing)
		}()
		for i, c := range confirms {
			if err := t.answer(c); !errors.Is(err, broker.ErrLost) {
				t.Errorf("message %d: got %v, want ErrLost", i+1, err)
			}
		}
		t.Release()
		select {
		case <-closing:
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
}

// along is a message that says itself where it goes.
func along(r Route, body string) *broker.Message {
	m := texts(body)[0]
	m.Exchange, m.RoutingKey, m.Subject = r.Exchange, r.RoutingKey, r.Subject
	return m
}
