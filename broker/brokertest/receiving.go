package brokertest

import (
	"context"
	"errors"
	"io"
	"time"

	"weir/broker"
)

// Behaviours of a Source that delivers.
const (
	ReceiveWaits     = "Receive waits for a message"
	Order            = "messages come in order"
	Window           = "the window bounds what is unsettled"
	ReceiveCancelled = "a cancelled Receive loses nothing"
	StopThenDrain    = "after Stop what was delivered comes, then EOF"
	StopWakes        = "Stop ends a Receive that waits with EOF"
	CloseWakes       = "Close ends a Receive that waits"
	ResizeWindow     = "a window grows and shrinks, and nothing is given back"
	TwoGoroutines    = "one goroutine receives while another settles"
	Origins          = "a message says where it lay"
	TwoSourcesShare  = "two sources on one queue share its messages"
	TwoSourcesSettle = "two sources never settle what the other holds"
)

var receiving = []behaviour{
	{name: ReceiveWaits, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		s := t.source(q.Source, 1)
		got := t.later(t.within(), s)
		t.publish(q, texts("1")...)
		r := t.result(got)
		if r.err != nil {
			t.Fatalf("Receive: %v", r.err)
		}
		t.bodies([]*broker.Message{r.message}, "1")
	}},

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
		s := t.source(q.Source, 510)
		var got []*broker.Message
		// A Receive that waits sees the message and its cancellation at the same time.
		for i, n := range numbers(1, 10) {
			ctx, cancel := context.WithCancel(context.Background())
			waiting := t.later(ctx, s)
			if i%2 == 0 {
				cancel()
			}
			t.publish(q, texts(n)...)
			cancel()
			if r := t.result(waiting); r.err == nil {
				got = append(got, r.message)
			} else if errors.Is(r.err, context.Canceled) {
				got = append(got, t.receive(s, 1)...)
			} else {
				t.Fatalf("Receive: got %v, want a message or the error of its context", r.err)
			}
		}
		// Many short ones while messages flow.
		t.send(t.sink(q.Sink), texts(numbers(11, 510)...)...)
		for deadline := t.within(); len(got) < 510 && deadline.Err() == nil; {
			ctx, cancel := context.WithTimeout(deadline, 50*time.Microsecond)
			m, err := s.Receive(ctx)
			cancel()
			if err == nil {
				got = append(got, m)
			} else if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Receive: got %v, want a message or the error of its context", err)
			}
		}
		t.bodies(got, numbers(1, 510)...)
		t.nothing(s)
		t.ack(s, got[509])
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

	{name: StopWakes, run: func(t *test) {
		s := t.source(t.Queue(QueueOptions{}).Source, 1)
		got := t.later(t.within(), s)
		if err := s.Stop(t.within()); err != nil {
			t.Fatalf("Stop: %v", err)
		}
		if r := t.result(got); !errors.Is(r.err, io.EOF) {
			t.Fatalf("Receive: got %v, want io.EOF", r.err)
		}
	}},

	{name: CloseWakes, run: func(t *test) {
		s := t.source(t.Queue(QueueOptions{}).Source, 1)
		got := t.later(t.within(), s)
		t.shut(s)
		if r := t.result(got); r.err == nil || errors.Is(r.err, io.EOF) {
			t.Fatalf("Receive: got %v, want an error that says the session is over", r.err)
		}
		if _, err := s.Receive(t.within()); err == nil || errors.Is(err, io.EOF) {
			t.Fatalf("Receive after Close: got %v, want an error that says the session is over", err)
		}
	}},

	{name: ResizeWindow, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.publish(q, texts(numbers(1, 20)...)...)
		s := t.source(q.Source, 2)
		resize := func(window int) {
			t.Helper()
			if err := s.(broker.Resizer).Resize(t.within(), window); err != nil {
				t.Fatalf("Resize to %d: %v", window, err)
			}
		}
		got := t.receive(s, 2)
		resize(5)
		got = append(got, t.receive(s, 3)...)
		// Until what was held at the change is settled, a driver may count it to the old window.
		t.ack(s, got[1])
		got = append(got, t.receive(s, 2)...)
		t.nothing(s)
		resize(2)
		t.ack(s, got[6])
		got = append(got, t.receive(s, 2)...)
		t.nothing(s)
		t.bodies(got, numbers(1, 9)...)
		for _, m := range got {
			if m.Redelivered {
				t.Errorf("message %s was given back on the way", m.Body)
			}
		}
		if err := s.Stop(t.within()); err != nil {
			t.Fatalf("Stop: %v", err)
		}
		t.ack(s, got[8])
		t.shut(s)
		t.bodies(t.take(q, 11), numbers(10, 20)...)
	}, without: func(t *test) {
		s := t.source(t.Queue(QueueOptions{}).Source, 2)
		if r, ok := s.(broker.Resizer); ok {
			if err := r.Resize(t.within(), 5); !errors.Is(err, broker.ErrUnsupported) {
				t.Fatalf("Resize: got %v, want ErrUnsupported", err)
			}
		}
	}},

	{name: TwoGoroutines, run: func(t *test) {
		const all = 500
		q := t.Queue(QueueOptions{})
		t.publish(q, texts(numbers(1, all)...)...)
		s := t.source(q.Source, 20)
		received, failed := make(chan *broker.Message, 20), make(chan error, 1)
		ctx := t.within()
		go func() {
			defer close(received)
			for range all {
				m, err := s.Receive(ctx)
				if err != nil {
					failed <- err
					return
				}
				received <- m
			}
		}()
		var got []*broker.Message
		for m := range received {
			got = append(got, m)
			switch len(got) % 10 {
			case 3:
				t.settle(s, m, broker.Acked)
			case 0:
				t.ack(s, m)
			}
		}
		if len(got) < all {
			t.Fatalf("Receive message %d of %d: %v", len(got)+1, all, <-failed)
		}
		t.bodies(got, numbers(1, all)...)
		t.shut(s)
		t.empty(q)
	}},

	{name: Origins, run: func(t *test) {
		q, other := t.Queue(QueueOptions{}), t.Queue(QueueOptions{})
		t.publish(q, texts("1", "2")...)
		t.publish(other, texts("1")...)
		s := t.source(q.Source, 2)
		held := t.receive(s, 2)
		elsewhere := t.receive(t.source(other.Source, 1), 1)[0]
		one, two := held[0].Origin, held[1].Origin
		if one.Scope == "" || one.Scope != two.Scope || one.Scope == elsewhere.Origin.Scope {
			t.Errorf("scopes %q and %q of one queue, %q of another: want one for each queue", one.Scope, two.Scope, elsewhere.Origin.Scope)
		}
		if one.Sequence != 0 && one.Sequence >= two.Sequence {
			t.Errorf("sequences %d, then %d: want them to grow, or none", one.Sequence, two.Sequence)
		}
		if age := time.Since(one.Stored); !one.Stored.IsZero() && (age < -time.Hour || age > time.Hour) {
			t.Errorf("stored at %v: want about now, or not known", one.Stored)
		}
		t.shut(s)
		again := t.receive(t.source(q.Source, 2), 1)[0].Origin
		if again.Scope != one.Scope || again.Sequence != one.Sequence || !again.Stored.Equal(one.Stored) {
			t.Errorf("the second time it lay at %+v, want %+v but for Returns", again, one)
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
