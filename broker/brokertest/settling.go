package brokertest

import "weir/broker"

// Behaviours of a Source that settles.
const (
	AckAll         = "Ack settles everything received before"
	SettleThenAck  = "Settle in the middle, then Ack of later ones"
	Returned       = "what is returned comes again, marked as redelivered"
	Rejected       = "what is rejected is dead-lettered"
	CloseGivesBack = "Close gives back the rest"
	ReopenInOrder  = "what was unsettled comes first and in order to the next source"
)

var settling = []behaviour{
	{name: AckAll, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.publish(q, texts(numbers(1, 10)...)...)
		s := t.source(q.Source, 10)
		held := t.receive(s, 10)
		t.ack(s, held[6])
		t.shut(s)
		t.bodies(t.take(q, 3), "8", "9", "10")
		t.empty(q)
	}},

	{name: SettleThenAck, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.publish(q, texts(numbers(1, 6)...)...)
		s := t.source(q.Source, 10)
		held := t.receive(s, 6)
		t.settle(s, held[2], broker.Acked)
		t.settle(s, held[5], broker.Acked)
		t.ack(s, held[1])
		t.ack(s, held[3])
		t.shut(s)
		t.bodies(t.take(q, 1), "5")
		t.empty(q)
	}},

	{name: Returned, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.publish(q, texts("1", "2")...)
		s := t.source(q.Source, 2)
		held := t.receive(s, 2)
		for _, m := range held {
			if m.Redelivered {
				t.Errorf("message %s is marked as redelivered the first time", m.Body)
			}
		}
		t.settle(s, held[0], broker.Returned)
		again := t.receive(s, 1)
		t.bodies(again, "1")
		if !again[0].Redelivered {
			t.Errorf("a returned message is not marked as redelivered")
		}
		t.nothing(s)
		t.ack(s, again[0])
		t.shut(s)
		t.empty(q)
	}},

	{name: Rejected, run: func(t *test) {
		q := t.Queue(QueueOptions{DeadLetter: true})
		t.publish(q, texts("1", "2", "3")...)
		s := t.source(q.Source, 3)
		held := t.receive(s, 3)
		t.settle(s, held[1], broker.Rejected)
		t.bodies(t.take(*q.DeadLetters, 1), "2")
		t.ack(s, held[2])
		t.shut(s)
		t.empty(q)
	}, without: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.publish(q, texts("1", "2", "3")...)
		s := t.source(q.Source, 3)
		held := t.receive(s, 3)
		t.settle(s, held[1], broker.Rejected)
		t.nothing(s)
		t.ack(s, held[2])
		t.shut(s)
		t.empty(q)
	}},

	{name: CloseGivesBack, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.publish(q, texts(numbers(1, 6)...)...)
		s := t.source(q.Source, 5)
		held := t.receive(s, 3) // two more may have been delivered and not received
		t.ack(s, held[0])
		t.shut(s)
		if err := s.Close(); err != nil {
			t.Errorf("Close for the second time: %v", err)
		}
		t.bodies(t.take(q, 5), numbers(2, 6)...)
		t.empty(q)
	}},

	{name: ReopenInOrder, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.publish(q, texts(numbers(1, 30)...)...)
		first := t.source(q.Source, 20)
		held := t.receive(first, 20)
		t.ack(first, held[4])
		t.settle(first, held[10], broker.Acked)
		t.shut(first)
		want := append(numbers(6, 10), numbers(12, 30)...)
		got := t.receive(t.source(q.Source, 30), len(want))
		t.bodies(got, want...)
		for _, m := range got[:14] { // those that had been received
			if !m.Redelivered {
				t.Errorf("message %s is not marked as redelivered", m.Body)
			}
		}
	}},
}

// empty asserts that a queue holds nothing, delivered or not, once every source on it is closed.
func (t *test) empty(q Queue) {
	t.Helper()
	s := t.source(q.Source, 10)
	t.nothing(s)
	t.shut(s)
}
