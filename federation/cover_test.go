package federation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
)

// What comes though no binding wants it is for the downstream to route: it drops that, as a local publish.
func TestWhatComesTooMuchReachesNoQueue(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "a.#.z", "b")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 2)
		w.us.AddBinding("catalog", broker.Binding{Destination: buffer, Key: "#"})
		for _, key := range []string{"a.z", "a.b", "b", "c", "a.b.c.z"} {
			w.publish(w.us, key, key)
		}
		w.gets(w.eu, "shop", "a.z", "b", "a.b.c.z")
		if c := g.status("us/exchanges/catalog").Counts; c.Unroutable != 2 || c.Dropped != 2 || c.Confirmed != 3 {
			t.Errorf("counts %+v, want 2 unroutable, 3 confirmed", c)
		}
	})
}

// unlisted is a downstream of which nothing can be learned while it is off.
type unlisted struct {
	*memory.Broker
	off atomic.Bool
}

func (u *unlisted) Exchanges(ctx context.Context) ([]broker.Exchange, error) {
	if u.off.Load() {
		return nil, broker.ErrLost
	}
	return u.Broker.Exchanges(ctx)
}

func (u *unlisted) Bindings(ctx context.Context, exchange string) ([]broker.Binding, error) {
	if u.off.Load() {
		return nil, broker.ErrLost
	}
	return u.Broker.Bindings(ctx, exchange)
}

// Ensure that a binding which another gateway has mirrored is served by the one that reads the buffer, and never taken
// away by it, though it does not know of it.
func TestABindingThatOneOfTwoGatewaysCannotSeeIsServed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "a")
		there := &unlisted{Broker: w.eu}
		w.gatewayOver("eu", map[string]broker.Broker{"eu": there, "us": w.us}, fromUS).equal("us/exchanges/catalog", 1)
		w.gateway("eu", fromUS).equal("us/exchanges/catalog", 1)
		there.off.Store(true)
		w.eu.Bind("shop", "catalog", "b")
		w.within(10*time.Second, "it is mirrored", func() bool { return len(w.boundTo(w.us, buffer)) == 2 })
		for i := range 300 {
			w.publish(w.us, "b", fmt.Sprint(i))
			w.after(time.Second)
		}
		w.within(time.Minute, "all has arrived", func() bool { return len(w.eu.Bodies("shop")) == 300 })
	})
}

// Ensure that another generation is bound with what the last one was, also where this gateway does not know of it.
func TestAnotherGenerationIsBoundWithWhatAnotherGatewayHasBound(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "a")
		there := &unlisted{Broker: w.eu}
		one := w.gatewayOver("eu", map[string]broker.Broker{"eu": there, "us": w.us}, fromUS)
		one.equal("us/exchanges/catalog", 1)
		two := w.gateway("eu", fromUS)
		two.equal("us/exchanges/catalog", 1)
		there.off.Store(true)
		w.eu.Bind("shop", "catalog", "b")
		w.eu.Unbind("shop", "catalog", "a")
		two.equal("us/exchanges/catalog", 1)
		w.within(10*time.Second, "it is mirrored", func() bool { return slices.Equal(w.boundTo(w.us, buffer), []string{"b"}) })
		two.stop()
		one.apply(strings.Replace(fromUS, "broker: us", "broker: us, message-ttl: 1h", 1))
		w.within(time.Minute, "the old one has gone", func() bool { return slices.Equal(w.buffers(w.us), []string{buffer + " (2)"}) })
		w.publish(w.us, "b", "wanted")
		w.gets(w.eu, "shop", "wanted")
		there.off.Store(false)
		w.within(time.Minute, "it is bound as it should be", func() bool { return slices.Equal(w.boundTo(w.us, buffer+" (2)"), []string{"b"}) })
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
