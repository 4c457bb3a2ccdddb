package memory_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/broker"
	"weir/broker/memory"
)

func TestConsumersOfOthers(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{})
	b.Put("orders", "1", "2", "3", "4")
	c := b.Consume("orders", 2, nil)
	wantUnacked(t, c, "1", "2")
	wantDepth(t, b, 2, 2, 1)
	if got := c.Ack(1); len(got) != 1 || string(got[0].Body) != "1" {
		t.Errorf("acked %v, want message 1", got)
	}
	wantUnacked(t, c, "2", "3")
	b.Cut()
	wantUnacked(t, c, "2", "3")
	c.Cancel()
	wantBodies(t, b, "orders", "2", "3", "4")
	wantDepth(t, b, 3, 0, 0)
}

func TestLowerPriorityGetsWhatHigherHasNoRoomFor(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{})
	low := b.Consume("orders", 10, broker.Table{"x-priority": int32(-1)})
	one, two := b.Consume("orders", 1, nil), b.Consume("orders", 1, nil)
	b.Put("orders", "1", "2", "3")
	wantUnacked(t, low, "3")
	if got := slices.Concat(one.Unacked(), two.Unacked()); len(got) != 2 {
		t.Errorf("those of higher priority hold %d messages, want 2", len(got))
	}
	one.Ack(1)
	b.Put("orders", "4")
	wantUnacked(t, one, "4")
	wantUnacked(t, low, "3")
}

func TestSingleActiveConsumer(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{Arguments: broker.Table{"x-single-active-consumer": true}})
	one, two, three := b.Consume("orders", 1, nil), b.Consume("orders", 2, nil), b.Consume("orders", 9, nil)
	b.Put("orders", "1", "2", "3")
	wantUnacked(t, one, "1")
	wantUnacked(t, two)
	one.Cancel()
	wantUnacked(t, two, "1", "2")
	wantUnacked(t, three)
	two.Ack(2)
	wantUnacked(t, two, "3")
	two.Cancel()
	wantUnacked(t, three, "3")
}

// What time does to a queue has been done whenever somebody looks.
func TestMessagesAndQueuesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New("eu")
		b.Declare("dead", memory.Queue{})
		b.Declare("orders", memory.Queue{Arguments: broker.Table{
			"x-message-ttl": int64(10_000), "x-expires": int64(60_000), "x-dead-letter-routing-key": "dead",
		}})
		b.Put("orders", "1", "2")
		c := b.Consume("orders", 1, nil)
		time.Sleep(5 * time.Second)
		b.Put("orders", "3")
		time.Sleep(5 * time.Second)
		wantBodies(t, b, "dead", "2")
		wantUnacked(t, c, "1") // what is delivered does not expire
		c.Ack(1)
		wantUnacked(t, c, "3")
		time.Sleep(time.Hour)
		c.Cancel()
		time.Sleep(59 * time.Second)
		wantBodies(t, b, "orders")
		time.Sleep(time.Second)
		if got := b.QueueNames(); !slices.Equal(got, []string{"dead"}) {
			t.Errorf("there are %v, want the queue expired", got)
		}
	})
}

func wantUnacked(t *testing.T, c *memory.Consumer, want ...string) {
	t.Helper()
	var got []string
	for _, m := range c.Unacked() {
		got = append(got, string(m.Body))
	}
	if !slices.Equal(got, want) {
		t.Errorf("unacked are %v, want %v", got, want)
	}
}

func wantDepth(t *testing.T, b *memory.Broker, ready, unacked, consumers int64) {
	t.Helper()
	d, err := b.Depth(t.Context(), broker.Address{Queue: "orders"})
	check(t, err)
	if d.Ready.N != ready || d.Unacked.N != unacked || d.Consumers.N != consumers {
		t.Errorf("ready %v, unacked %v, consumers %v, want %d, %d, %d", d.Ready, d.Unacked, d.Consumers, ready, unacked, consumers)
	}
}
