package federation_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

func TestAMessageCrossesAsItWas(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "items.#")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 1)
		w.publish(w.us, "items.new", "lamp")
		w.publish(w.us, "prices.new", "9.99") // nobody asks for it
		w.gets(w.eu, "shop", "lamp")
		m := w.eu.Messages("shop")[0]
		if m.RoutingKey != "items.new" || m.Exchange != "catalog" {
			t.Errorf("it came to %s with key %s, want catalog, items.new", m.Exchange, m.RoutingKey)
		}
		if m.Properties.UserID != "" {
			t.Error("the user-id was kept")
		}
		hop, _ := m.Headers[link.ReceivedFrom].(broker.Array)[0].(broker.Table)
		delete(hop, "timestamp_in_ms")
		want := broker.Table{"uri": "memory://us/%2F", "exchange": "catalog", "redelivered": false, "cluster-name": "us", "vhost": "/"}
		if !reflect.DeepEqual(hop, want) {
			t.Errorf("the hop is %v, want %v", hop, want)
		}
		if s := g.status("us/exchanges/catalog"); s.Federation.Buffer != "weir: catalog -> eu///catalog" || s.Federation.Policy != "catalog" {
			t.Errorf("status: %+v", s.Federation)
		}
	})
}

func TestAUserIDIsKeptIfTrusted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "#")
		w.gateway("eu", `
upstreams:
	us: {broker: us, trust-user-id: true}
policies:
	catalog: {pattern: "^catalog", definition: {federation-upstream: us}}
`).equal("us/exchanges/catalog", 1)
		w.publish(w.us, "items.new", "lamp")
		w.gets(w.eu, "shop", "lamp")
		if id := w.eu.Messages("shop")[0].Properties.UserID; id != "alice" {
			t.Errorf("user-id %q", id)
		}
	})
}

// Changes are noticed at once where the broker tells of them, and otherwise within a second.
func TestBindingsFollow(t *testing.T) {
	for name, hints := range map[string]bool{"at once": true, "every 1s": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				if !hints {
					w.eu.WithoutHints()
				}
				limit := 1100 * time.Millisecond
				if hints {
					limit = 200 * time.Millisecond
				}
				w.consumer(w.eu, "shop", "a", "b")
				w.consumer(w.eu, "depot", "b")
				g := w.gateway("eu", fromUS)
				g.equal("us/exchanges/catalog", 2)
				if s := g.status("us/exchanges/catalog").Federation; s.NoticedBy != name {
					t.Errorf("noticed %q, want %q", s.NoticedBy, name)
				}
				bound := func(want ...string) func() bool {
					return func() bool { return slices.Equal(w.boundAt(w.us, "catalog"), want) }
				}
				w.eu.Bind("depot", "catalog", "c")
				w.within(limit, "the new binding is mirrored", bound("a", "b", "c"))
				w.eu.Unbind("depot", "catalog", "b")
				w.after(2 * time.Second)
				if !bound("a", "b", "c")() {
					t.Errorf("one of two equal bindings went: %v", w.boundAt(w.us, "catalog"))
				}
				w.eu.Unbind("shop", "catalog", "b")
				w.within(limit, "the last of two equal bindings has gone", bound("a", "c"))
			})
		})
	}
}

// Events get lost. A slow full reading finds out.
func TestALostHintIsMadeUpFor(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "a")
		w.gateway("eu", fromUS).equal("us/exchanges/catalog", 1)
		w.eu.LoseHints(true)
		w.eu.Bind("shop", "catalog", "b")
		w.within(35*time.Second, "the binding is mirrored", func() bool { return len(w.boundAt(w.us, "catalog")) == 2 })
	})
}

// Between adding and removing, nothing that a kept binding wants is missed; what was published after the mirror is equal
// arrives.
func TestBindingsThatChangedDuringAnOutageAreReconciled(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "stays", "goes")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 2)
		w.us.Down(broker.ErrLost)
		w.us.Cut()
		w.eu.Unbind("shop", "catalog", "goes")
		w.eu.Bind("shop", "catalog", "comes")
		w.within(30*time.Second, "it tells that they are not equal", func() bool {
			s := g.status("us/exchanges/catalog")
			return s.Federation.Problem != "" && s.Federation.EqualAt.IsZero()
		})
		w.publish(w.us, "stays", "kept in the buffer")
		w.us.Up()
		w.within(2*time.Minute, "they are equal", func() bool {
			return slices.Equal(w.boundAt(w.us, "catalog"), []string{"comes", "stays"})
		})
		g.equal("us/exchanges/catalog", 2)
		w.publish(w.us, "comes", "new")
		w.gets(w.eu, "shop", "kept in the buffer", "new")
	})
}

// Somebody deletes the buffer by hand: it is made again, bound, and read.
func TestAVanishedBufferIsMadeAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "a")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 1)
		w.us.Delete("weir: catalog -> eu///catalog")
		w.within(time.Minute, "it is bound again", func() bool { return len(w.boundAt(w.us, "catalog")) == 1 })
		w.publish(w.us, "a", "lamp")
		w.gets(w.eu, "shop", "lamp")
	})
}

// The upstream's exchange is made like the downstream's, and one that comes later is federated, too.
func TestExchangesAppearAndGo(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 0)
		w.eu.DeclareExchange("catalog.prices", memory.Fanout)
		g.equal("us/exchanges/catalog.prices", 0)
		there, err := w.us.Exchanges(w.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(there, func(x broker.Exchange) bool { return x.Name == "catalog.prices" })
		if i < 0 || there[i].Type != "fanout" {
			t.Errorf("the upstream has %+v", there)
		}
		w.eu.DeleteExchange("catalog.prices")
		w.within(time.Minute, "its link is gone", func() bool { return slices.Equal(g.names(), []string{"us/exchanges/catalog"}) })
	})
}

// A second gateway of the site stands by, and goes on when the first has gone: in order, nothing lost.
func TestTwoGatewaysShareABuffer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "#")
		one, two := w.gateway("eu", fromUS), w.gateway("eu", fromUS)
		one.equal("us/exchanges/catalog", 1)
		two.equal("us/exchanges/catalog", 1)
		standby := func(g *gateway) bool { return g.status("us/exchanges/catalog").State == link.Standby }
		w.within(time.Minute, "one of them stands by", func() bool { return standby(one) != standby(two) })
		if standby(one) {
			one, two = two, one
		}
		w.publish(w.us, "a", "1", "2")
		w.gets(w.eu, "shop", "1", "2")
		one.stop()
		w.publish(w.us, "a", "3", "4")
		w.gets(w.eu, "shop", "1", "2", "3", "4")
		w.within(time.Minute, "the other does not stand by any more", func() bool { return !standby(two) })
	})
}
