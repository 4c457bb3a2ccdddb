package brokertest

import (
	"context"
	"errors"
	"io"

	"weir/broker"
)

// Behaviours of a Source that delivers.
const (
	Order            = "messages come in order"
	Window           = "the window bounds what is unsettled"
	ReceiveCancelled = "a cancelled Receive loses nothing"
	StopThenDrain    = "after Stop what was delivered comes, then EOF"
	TwoSourcesShare  = "two sources on one queue share its messages"
	TwoSourcesSettle = "two sources never settle what the other holds"
)

var receiving = []behaviour{
	{name: Order, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		want := numbers(1, 200)
		t.publish(q, texts(want...)...)
		s := t.source(q.Source, 50)
		var got []*broker.Message
		for len(got) < len(want) {
			ms := t.receive(s, 25)
			t.ack(s, ms[24])
			got = append(got, ms...)
		}
		t.bodies(got, want...)
		t.nothing(s)
	}},

	{name: Window, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.publish(q, texts(numbers(1, 10)...)...)
		s := t.source(q.Source, 3)
		held := t.receive(s, 3)
		t.bodies(held, "1", "2", "3")
		t.nothing(s)
		t.settle(s, held[1], broker.Acked)
		t.bodies(t.receive(s, 1), "4")
		t.nothing(s)
		t.ack(s, held[2])
		t.bodies(t.receive(s, 2), "5", "6")
		t.nothing(s)
	}},

	{name: ReceiveCancelled, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		s := t.source(q.Source, 10)
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := s.Receive(cancelled); !errors.Is(err, context.Canceled) {
			t.Fatalf("Receive from an empty queue: got %v, want the error of its context", err)
		}
		t.publish(q, texts(numbers(1, 20)...)...)
		var got []*broker.Message
		for len(got) < 20 {
			// Whichever of the two a Receive sees first, nothing may be lost or come twice.
			m, err := s.Receive(cancelled)
			if errors.Is(err, context.Canceled) {
				m, err = s.Receive(t.within())
			}
			if err != nil {
				t.Fatalf("Receive: %v", err)
			}
			t.ack(s, m)
			got = append(got, m)
		}
		t.bodies(got, numbers(1, 20)...)
		t.nothing(s)
	}},

	{name: StopThenDrain, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.publish(q, texts(numbers(1, 10)...)...)
		s := t.source(q.Source, 4)
		got := t.receive(s, 2)
		if err := s.Stop(t.within()); err != nil {
			t.Fatalf("Stop: %v", err)
		}
		// How many of the window had been delivered by then is the broker's business; acks must not bring more.
		for {
			t.ack(s, got[len(got)-1])
			m, err := s.Receive(t.within())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("Receive after Stop: got %v, want messages, then io.EOF", err)
			}
			got = append(got, m)
		}
		if len(got) > 4 {
			t.Fatalf("received %d messages, want none beyond the window of 4 after Stop", len(got))
		}
		if _, err := s.Receive(t.within()); !errors.Is(err, io.EOF) {
			t.Fatalf("Receive after io.EOF: got %v, want io.EOF again", err)
		}
		t.bodies(got, numbers(1, len(got))...)
		t.shut(s)
		rest := t.take(q, 10-len(got))
		t.bodies(rest, numbers(len(got)+1, 10)...)
		for _, m := range rest {
			if m.Redelivered {
				t.Errorf("message %s is redelivered, want it never delivered before", m.Body)
			}
		}
	}},

	{name: TwoSourcesShare, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		one, two := t.source(q.Source, 5), t.source(q.Source, 5)
		t.publish(q, texts(numbers(1, 10)...)...)
		seen := map[string]int{}
		for _, m := range append(t.receive(one, 5), t.receive(two, 5)...) {
			seen[string(m.Body)]++
		}
		for _, n := range numbers(1, 10) {
			if seen[n] != 1 {
				t.Errorf("message %s came %d times, want once", n, seen[n])
			}
		}
		t.nothing(one)
		t.nothing(two)
	}},

	{name: TwoSourcesSettle, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		one, two := t.source(q.Source, 5), t.source(q.Source, 5)
		t.publish(q, texts(numbers(1, 10)...)...)
		held, others := t.receive(one, 5), t.receive(two, 5)
		// Whoever holds the last message acks everything it has: the messages of the other lie in between.
		t.ack(two, others[4])
		t.shut(two)
		t.shut(one)
		var want []string
		for _, m := range held {
			want = append(want, string(m.Body))
		}
		again := t.source(q.Source, 10)
		t.bodies(t.receive(again, 5), want...)
		t.nothing(again)
	}},
}
