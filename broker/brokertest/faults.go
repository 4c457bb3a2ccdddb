package brokertest

import (
	"context"
	"errors"
	"strconv"

	"weir/broker"
)

// Behaviours of sessions around faults.
const (
	CutSink   = "a cut connection makes every pending answer unknown"
	CutIdle   = "a cut connection is noticed by an idle sink"
	Blocked   = "a blocked broker shows, and the flow goes on after"
	CutSource = "a cut connection ends Receive, and nothing is lost"
)

var faults = []behaviour{
	{name: CutSink, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		s := t.sink(q.Sink)
		t.Hold()
		confirms := t.send(s, texts(numbers(1, 100)...)...)
		t.pending(confirms)
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
		} else if errors.Is(err, context.DeadlineExceeded) {
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

	{name: Blocked, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		s := t.sink(q.Sink)
		blocked := s.(broker.Blocker).Blocked
		confirms := t.send(s, texts("1")...)
		t.confirmed(confirms)
		reason, changed := blocked()
		if reason != "" {
			t.Fatalf("blocked (%s) before anybody asked for it", reason)
		}
		t.Block()
		t.eventually(func() string { // RabbitMQ says so only when the next message reaches it
			if reason, _ := blocked(); reason != "" {
				return ""
			}
			c, err := s.Send(t.within(), texts(strconv.Itoa(len(confirms) + 1))[0])
			if err == nil {
				confirms = append(confirms, c)
			} else if !errors.Is(err, broker.ErrBlocked) {
				t.Fatalf("Send: %v", err)
			}
			return "the sink is not blocked"
		})
		t.closed(changed, "word that the sink is blocked")
		_, changed = blocked()
		if _, err := s.Send(t.within(), texts("no")[0]); !errors.Is(err, broker.ErrBlocked) {
			t.Fatalf("Send while blocked: got %v, want ErrBlocked", err)
		}
		t.Unblock()
		t.closed(changed, "word that the sink is no longer blocked")
		if reason, _ := blocked(); reason != "" {
			t.Fatalf("still blocked: %s", reason)
		}
		confirms = append(confirms, t.send(s, texts(strconv.Itoa(len(confirms)+1))...)...)
		t.confirmed(confirms)
		t.bodies(t.take(q, len(confirms)), numbers(1, len(confirms))...)
	}, without: func(t *test) {
		if b, ok := t.sink(t.Queue(QueueOptions{}).Sink).(broker.Blocker); ok {
			if reason, _ := b.Blocked(); reason != "" {
				t.Fatalf("blocked (%s) by a broker that cannot", reason)
			}
		}
	}},
}
