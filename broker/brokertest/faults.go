package brokertest

import (
	"errors"

	"weir/broker"
)

// Behaviours of sessions around faults.
const (
	CutSink   = "a cut connection makes every pending answer unknown"
	CutIdle   = "a cut connection is noticed by an idle sink"
	CutSource = "a cut connection ends Receive, and nothing is lost"
)

var faults = []behaviour{
	{name: CutSink, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		s := t.sink(q.Sink)
		t.Hold()
		confirms := t.send(s, texts(numbers(1, 100)...)...)
		t.Cut()
		t.Release()
		for i, c := range confirms {
			switch err := t.answer(c); {
			case err == nil:
				t.Errorf("message %d is confirmed, and no answer can have come", i+1)
			case errors.Is(err, broker.ErrRefused), errors.Is(err, broker.ErrUnroutable), errors.Is(err, broker.ErrPending):
				t.Errorf("message %d: got %v, want it unknown", i+1, err)
			}
		}
		t.closed(s.Lost(), "word that the session is lost")
		if _, err := s.Send(t.within(), texts("101")[0]); err == nil || errors.Is(err, broker.ErrBlocked) {
			t.Errorf("Send on a lost session: got %v, want an error that ends it", err)
		}
		t.confirmed(t.send(t.sink(q.Sink), texts("102")...))
	}},

	{name: CutIdle, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		s := t.sink(q.Sink)
		t.confirmed(t.send(s, texts("1")...))
		t.Cut()
		t.closed(s.Lost(), "word that the session is lost")
	}},

	{name: CutSource, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.publish(q, texts("1", "2", "3")...)
		s := t.source(q.Source, 2)
		held := t.receive(s, 2)
		t.Cut()
		if m, err := s.Receive(t.within()); err == nil {
			t.Fatalf("received %q on a lost session", m.Body)
		} else if errors.Is(err, t.within().Err()) {
			t.Fatalf("Receive has not noticed: %v", err)
		}
		t.eventually(func() string { // the driver may learn of it a little later here
			if s.Ack(held[1]) == nil {
				return "Ack on a lost session succeeds"
			}
			return ""
		})
		s.Close()
		t.bodies(t.receive(t.source(q.Source, 3), 3), "1", "2", "3")
	}},
}
