package federation_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

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

// unreadable is RabbitMQ without a management API: bindings can be made and not be read back.
type unreadable struct{ *memory.Broker }

func (unreadable) Bound(context.Context, broker.Buffer) ([]broker.Binding, error) {
	return nil, broker.ErrUnsupported
}

func (unreadable) Waiting(context.Context, string) ([]broker.Waiting, error) {
	return nil, broker.ErrUnsupported
}

// An upstream that cannot be asked is federated as well as it can be, and it is told what that is not.
func TestAnUpstreamWithoutManagement(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "a", "b")
		g := w.gateway("eu", "")
		g.brokers["us"] = unreadable{w.us}
		g.apply(fromUS)
		g.equal("us/exchanges/catalog", 2)
		if s := g.status("us/exchanges/catalog").Federation; !strings.Contains(s.Problem, "cannot be read back") {
			t.Errorf("problem %q", s.Problem)
		}
		w.eu.Unbind("shop", "catalog", "a")
		g.equal("us/exchanges/catalog", 1)
		w.publish(w.us, "a", "not wanted any more")
		w.publish(w.us, "b", "wanted")
		w.us.Cut()
		w.gets(w.eu, "shop", "wanted")
		w.after(10 * time.Minute)
		if got := w.boundAt(w.us, "catalog"); !slices.Equal(got, []string{"b"}) {
			t.Errorf("bound with %q", got)
		}
		w.us.Delete(buffer)
		w.within(time.Minute, "another buffer is bound", func() bool { return slices.Equal(w.boundAt(w.us, "catalog"), []string{"b"}) })
	})
}

// Other hops and another type at once: the old generation is unbound though it was bound another way.
func TestAnOldGenerationIsUnboundWhicheverWayItWasBound(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "#")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 1)
		g.apply(strings.Replace(fromUS, "broker: us", "broker: us, max-hops: 2, message-ttl: 1h", 1))
		w.within(time.Minute, "the old one has gone", func() bool { return slices.Equal(w.buffers(w.us), []string{buffer + " (2)"}) })
		w.publish(w.us, "a", "once")
		w.gets(w.eu, "shop", "once")
	})
}
