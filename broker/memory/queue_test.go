package memory_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/broker"
	"weir/broker/memory"
)

func TestWhatComesBackTakesItsPlace(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{})
	b.Put("orders", "1", "2", "3", "4", "5", "6")
	s := openSource(t, b, "orders", 5)
	held := receive(t, s, 5)
	for _, i := range []int{3, 1, 4} {
		check(t, s.Stop(t.Context()))
		check(t, s.Settle(held[i], broker.Returned))
	}
	wantBodies(t, b, "orders", "2", "4", "5", "6")
	check(t, s.Close())
	wantBodies(t, b, "orders", "1", "2", "3", "4", "5", "6")
}

func TestSourcesTakeTurns(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{})
	one, two := openSource(t, b, "orders", 10), openSource(t, b, "orders", 10)
	b.Put("orders", "1", "2", "3", "4")
	for i, s := range []broker.Source{one, two, one, two} {
		if got, want := string(receive(t, s, 1)[0].Body), []string{"1", "2", "3", "4"}[i]; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Every way back counts: Returned, Close and a cut. Once more than the limit, and the message is dead-lettered.
func TestDeliveryLimit(t *testing.T) {
	b := memory.New("eu")
	b.Declare("dead", memory.Queue{})
	b.Declare("orders", memory.Queue{DeliveryLimit: 3, DeadLetter: "dead"})
	b.Put("orders", "1")
	came := func(s broker.Source, times int) *broker.Message {
		t.Helper()
		m := receive(t, s, 1)[0]
		if m.Origin.Returns != times {
			t.Errorf("came back %d times, want %d", m.Origin.Returns, times)
		}
		return m
	}
	s := openSource(t, b, "orders", 1)
	check(t, s.Settle(came(s, 0), broker.Returned))
	came(s, 1)
	check(t, s.Close())
	came(openSource(t, b, "orders", 1), 2)
	b.Cut()
	s = openSource(t, b, "orders", 1)
	came(s, 3)
	wantBodies(t, b, "dead")
	check(t, s.Close())
	wantBodies(t, b, "orders")
	wantBodies(t, b, "dead", "1")
}

func TestRejectedWithoutDeadLetterIsDropped(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{})
	b.Put("orders", "1", "2")
	s := openSource(t, b, "orders", 2)
	check(t, s.Settle(receive(t, s, 1)[0], broker.Rejected))
	check(t, s.Close())
	wantBodies(t, b, "orders", "2")
}

func TestMaxLengthCountsWhatIsReady(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{MaxLength: 2})
	k := openSink(t, b, broker.Address{Queue: "orders"})
	wantAnswers(t, send(t, k, "1", "2", "3"), nil, nil, broker.ErrRefused)
	s := openSource(t, b, "orders", 1)
	wantAnswers(t, send(t, k, "4", "5"), nil, broker.ErrRefused)
	check(t, s.Close())
	wantBodies(t, b, "orders", "1", "2", "4")
}

func TestDeclareArguments(t *testing.T) {
	b := memory.New("eu")
	b.Declare("dead", memory.Queue{})
	s, err := b.OpenSource(t.Context(), broker.Address{Queue: "orders"}, broker.SourceOptions{Window: 1, DeclareArgs: broker.Table{
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead", "x-delivery-limit": int32(1), "x-max-length": int64(2),
	}})
	check(t, err)
	check(t, s.Stop(t.Context()))
	k := openSink(t, b, broker.Address{Queue: "orders"})
	wantAnswers(t, send(t, k, "1", "2", "3"), nil, nil, broker.ErrRefused)
	check(t, s.Close())
	for range 2 {
		check(t, openSource(t, b, "orders", 1).Close())
	}
	wantBodies(t, b, "dead", "1")
}

func TestSettlingTwiceIsAMistake(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{})
	b.Put("orders", "1")
	s := openSource(t, b, "orders", 1)
	m := receive(t, s, 1)[0]
	check(t, s.Ack(m))
	if s.Ack(m) == nil || s.Settle(m, broker.Acked) == nil {
		t.Error("got no error")
	}
}

func TestHiddenDepthIsUnknown(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{})
	b.Put("orders", "1")
	for _, hidden := range []bool{true, false} {
		b.HideDepth(hidden)
		d, err := b.Depth(t.Context(), broker.Address{Queue: "orders"})
		check(t, err)
		if d.Ready.Known == hidden || d.Unacked.Known == hidden || d.Consumers.Known == hidden || d.OldestAtLeast.Known == hidden {
			t.Errorf("hidden %v: got %+v", hidden, d)
		}
	}
}

func TestAgeIsThatOfTheOldestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New("eu")
		b.Declare("orders", memory.Queue{})
		b.Put("orders", "1")
		time.Sleep(30 * time.Second)
		b.Put("orders", "2")
		time.Sleep(10 * time.Second)
		wantOldest := func(want time.Duration) {
			t.Helper()
			d, err := b.Depth(t.Context(), broker.Address{Queue: "orders"})
			check(t, err)
			if d.OldestAtLeast != broker.Aged(want) || d.OldestAtMost != broker.Aged(want) {
				t.Errorf("oldest between %v and %v, want %v", d.OldestAtLeast, d.OldestAtMost, want)
			}
		}
		wantOldest(40 * time.Second)
		b.Take("orders", 1)
		wantOldest(10 * time.Second)
		b.Drain("orders")
		wantOldest(0)
	})
}

func openSource(t *testing.T, b *memory.Broker, queue string, window int) broker.Source {
	t.Helper()
	s, err := b.OpenSource(t.Context(), broker.Address{Queue: queue}, broker.SourceOptions{Window: window, Predeclared: true})
	check(t, err)
	return s
}

func openSink(t *testing.T, b *memory.Broker, at broker.Address) broker.Sink {
	t.Helper()
	s, err := b.OpenSink(t.Context(), at, broker.SinkOptions{Predeclared: true})
	check(t, err)
	return s
}

func receive(t *testing.T, s broker.Source, n int) []*broker.Message {
	t.Helper()
	var ms []*broker.Message
	for range n {
		m, err := s.Receive(t.Context())
		check(t, err)
		ms = append(ms, m)
	}
	return ms
}

func wantBodies(t *testing.T, b *memory.Broker, queue string, want ...string) {
	t.Helper()
	if got := b.Bodies(queue); !slices.Equal(got, want) {
		t.Errorf("%s holds %v, want %v", queue, got, want)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
