package brokertest

import (
	"bytes"
	"errors"

	"weir/broker"
)

// Behaviours of a Sink around a message that the broker will not take. What is sent before and after it is confirmed.
const (
	Refused    = "a full queue refuses, and only that message"
	Unroutable = "a message that goes nowhere is unroutable, and only that one"
	TooLarge   = "a message over the broker's limit is too large, and only that one"
)

var refusing = []behaviour{
	{name: Refused, run: func(t *test) {
		full := t.Queue(QueueOptions{Full: true})
		err := t.among(along(full.Route, "no"))
		if !errors.Is(err, broker.ErrRefused) || errors.Is(err, broker.ErrTooLarge) || errors.Is(err, broker.ErrUnroutable) {
			t.Fatalf("to a full queue: got %v, want ErrRefused and nothing else", err)
		}
	}},

	{name: Unroutable, run: func(t *test) {
		err := t.among(along(t.Nowhere, "no"))
		if !errors.Is(err, broker.ErrUnroutable) || errors.Is(err, broker.ErrRefused) {
			t.Fatalf("to nowhere: got %v, want ErrUnroutable and nothing else", err)
		}
	}},

	{name: TooLarge, run: func(t *test) {
		m := along(Route{}, "")
		m.Body = bytes.Repeat([]byte("x"), t.TooLarge)
		err := t.among(m)
		if !errors.Is(err, broker.ErrTooLarge) || errors.Is(err, broker.ErrUnroutable) {
			t.Fatalf("a body of %d bytes: got %v, want ErrTooLarge", t.TooLarge, err)
		}
	}},
}

// among sends bad in the middle of a pipeline and returns the answer to it; all others must be confirmed, once and in
// order. Without a route of its own bad goes the way of the others.
func (t *test) among(bad *broker.Message) error {
	t.Helper()
	q := t.Queue(QueueOptions{})
	if bad.Exchange == "" && bad.RoutingKey == "" && bad.Subject == "" {
		bad.Exchange, bad.RoutingKey, bad.Subject = q.Route.Exchange, q.Route.RoutingKey, q.Route.Subject
	}
	s := t.sink(broker.Address{})
	var good []broker.Confirm
	for _, n := range numbers(1, 20) {
		good = append(good, t.send(s, along(q.Route, n))...)
	}
	answer := t.send(s, bad)[0]
	for _, n := range numbers(21, 40) {
		good = append(good, t.send(s, along(q.Route, n))...)
	}
	t.confirmed(good)
	err := t.answer(answer)
	select {
	case <-s.Lost():
		t.Fatalf("the session is lost over one message (%v)", err)
	default:
	}
	t.bodies(t.take(q, 40), numbers(1, 40)...)
	t.empty(q)
	return err
}
