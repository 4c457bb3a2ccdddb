package shovel_test

import (
	"slices"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// Both regions are over their start and overflow at each other.
func TestTwoRegionsThatOverflowAtEachOtherNeitherLoseNorPingPong(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, b := range []*memory.Broker{w.eu, w.us} {
			b.Declare("work", memory.Queue{DeliveryLimit: 20, DeadLetter: "dead"})
			b.Declare("dead", memory.Queue{})
			b.Latency(30 * time.Millisecond)
		}
		w.run(`
  east:
    source: {broker: eu, queue: work}
    destinations: [{broker: us, queue: work}]
    overflow: {messages-ready: {start: 1000, stop: 100}, for: 2s}
  west:
    source: {broker: us, queue: work}
    destinations: [{broker: eu, queue: work}]
    overflow: {messages-ready: {start: 1000, stop: 100}, for: 2s}
`)
		ours, theirs := orders("eu", 5000), orders("us", 5000)
		w.eu.Put("work", ours...)
		w.us.Put("work", theirs...)
		eu := w.consume(w.eu, "work", 1, 10*time.Millisecond) // 100 a second
		us := w.consume(w.us, "work", 1, 10*time.Millisecond)

		w.within(30*time.Second, "one says that messages have nowhere to go", func() bool {
			return slices.ContainsFunc(w.group.Statuses(), func(s link.Status) bool { return s.State == link.Holding && s.Held > 0 })
		})
		w.within(5*time.Minute, "all are consumed", func() bool { return eu.n()+us.n() >= 10_000 })
		w.after(time.Minute)
		once(t, append(ours, theirs...), eu.got(), us.got())
		for _, m := range append(eu.got(), us.got()...) {
			if hops := hopsOf(m); hops > 1 {
				t.Fatalf("%s has crossed %d links", m.Body, hops)
			}
		}
		for _, b := range []*memory.Broker{w.eu, w.us} {
			same(t, "dropped by the delivery limit", b.Bodies("dead"), nil)
		}
		for _, s := range w.group.Statuses() {
			if s.State != link.Shut || s.Overflow.Switches > 4 {
				t.Errorf("%s is %s (%s) after %d switches", s.Name, s.State, s.Reason, s.Overflow.Switches)
			}
		}
	})
}

// hopsOf is how many places a message has left.
func hopsOf(m *broker.Message) int {
	list, _ := m.Headers["x-received-from"].(broker.Array)
	return len(list)
}
