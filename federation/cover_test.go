package federation_test

import (
	"testing"

	"weir/broker"
	"weir/broker/memory"
)

// covering is a broker whose buffers may get more than they are bound with.
type covering struct{ *memory.Broker }

func (covering) Covers() bool { return true }

// What comes too much is acked and counted, and does not reach the downstream.
func TestWhatAFilterOnlyCoversIsMatchedExactly(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "a.#.z", "b")
		w.eu.Declare("everything", memory.Queue{})
		g := w.gateway("eu", "")
		g.brokers["us"] = covering{w.us}
		g.apply(fromUS)
		g.equal("us/exchanges/catalog", 2)
		w.us.AddBinding("catalog", broker.Binding{Destination: buffer, Key: "#"})
		for _, key := range []string{"a.z", "a.b", "b", "c", "a.b.c.z"} {
			w.publish(w.us, key, key)
		}
		w.gets(w.eu, "shop", "a.z", "b", "a.b.c.z")
		if c := g.status("us/exchanges/catalog").Counts; c.Filtered != 2 || c.Confirmed != 3 || c.Dropped != 0 {
			t.Errorf("counts %+v, want 2 filtered, 3 confirmed", c)
		}
		w.eu.Bind("everything", "catalog", "c")
		g.equal("us/exchanges/catalog", 3)
		w.publish(w.us, "c", "c")
		w.gets(w.eu, "everything", "c")
	})
}
