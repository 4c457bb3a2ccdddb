package federation_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/federation"
	"weir/link"
)

const buffer = "weir: catalog -> eu///catalog"

// A stop leaves the buffer bound: what is published meanwhile waits in it.
func TestAStopKeepsTheBuffer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "#")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 1)
		g.stop()
		w.publish(w.us, "a", "while it was away")
		w.gateway("eu", fromUS)
		w.gets(w.eu, "shop", "while it was away")
	})
}

// A policy that is taken away leaves the buffer with what is in it, unbound. It is listed, and gc removes it.
func TestAPolicyThatGoesLeavesItsBuffer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "#")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 1)
		if left, err := g.Leftovers(w.Context()); len(left) != 0 || err != nil {
			t.Errorf("leftovers %v, error %v, want none", left, err)
		}
		w.eu.Block("memory alarm")
		w.publish(w.us, "a", "held")
		w.after(time.Second)
		g.apply("") // the upstream with it
		g.Drained()
		w.publish(w.us, "a", "too late")
		if n := len(g.Statuses()); n != 0 {
			t.Errorf("%d links, want none", n)
		}
		left, err := g.Leftovers(w.Context())
		want := []federation.Leftover{{Broker: "us", Buffer: buffer, Exchange: left[0].Exchange, Messages: broker.Counted(1)}}
		if !slices.Equal(left, want) || err != nil {
			t.Fatalf("leftovers %+v, error %v, want %+v", left, err, want)
		}
		if err := g.Remove(w.Context(), left[0], false); !errors.Is(err, broker.ErrInUse) {
			t.Errorf("without force: %v, want ErrInUse", err)
		}
		w.eu.Unblock()
		g.apply(fromUS)
		w.gets(w.eu, "shop", "held")
		if err := g.Remove(w.Context(), left[0], true); !errors.Is(err, broker.ErrInUse) {
			t.Errorf("of a policy: %v, want ErrInUse", err)
		}
		g.apply("upstreams:\n\tus: {broker: us}\n")
		g.Drained()
		if err := g.Remove(w.Context(), left[0], false); err != nil {
			t.Errorf("when it is empty: %v", err)
		}
		if left, err := g.Leftovers(w.Context()); len(left) != 0 || err != nil {
			t.Errorf("leftovers %v, error %v, want none", left, err)
		}
	})
}

// Ensure that brokers which do not answer leave time for the others to tell what is on them.
func TestASilentBrokerHidesNoOthersLeftovers(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "#")
		g := w.gateway("eu", strings.ReplaceAll(fromUS, "us", "ap"))
		g.equal("ap/exchanges/catalog", 1)
		g.apply("")
		g.Drained()
		w.us.Silent()
		w.eu.Silent()
		ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
		defer cancel()
		left, err := g.Leftovers(ctx)
		if len(left) != 1 || left[0].Broker != "ap" || err == nil {
			t.Errorf("leftovers %v, error %v; want the one on ap, and an error about the others", left, err)
		}
	})
}

// While it is not known what exists downstream, nothing of it is a leftover.
func TestLeftoversOfAnUnknownDownstreamAreNotNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "#")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 1)
		g.stop()
		w.eu.Down(broker.ErrLost)
		g = w.gateway("eu", fromUS)
		w.after(5 * time.Second)
		left, err := g.Leftovers(w.Context())
		if len(left) != 0 || err == nil || !strings.Contains(err.Error(), "eu/") {
			t.Errorf("leftovers %v, error %v", left, err)
		}
	})
}

// Other arguments make another generation. What is in the old one arrives first, and the old one goes when it is empty.
func TestOtherArgumentsMakeANewGeneration(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "#")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 1)
		w.eu.Block("memory alarm")
		w.publish(w.us, "a", "1", "2")
		w.after(time.Second)
		g.apply(strings.Replace(fromUS, "broker: us", "broker: us, message-ttl: 1h", 1))
		w.within(time.Minute, "both generations exist", func() bool { return len(w.buffers(w.us)) == 2 })
		w.within(time.Minute, "only the new one is bound", func() bool {
			return len(w.boundTo(w.us, buffer)) == 0 && len(w.boundTo(w.us, buffer+" (2)")) == 1
		})
		w.publish(w.us, "a", "3", "4")
		w.after(time.Minute)
		w.eu.Unblock()
		w.gets(w.eu, "shop", "1", "2", "3", "4")
		w.within(time.Minute, "the old one has gone", func() bool { return slices.Equal(w.buffers(w.us), []string{buffer + " (2)"}) })
		if b := g.status("us/exchanges/catalog").Federation.Buffer; b != buffer+" (2)" {
			t.Errorf("the buffer is %q", b)
		}
		g.stop()
		g = w.gateway("eu", strings.Replace(fromUS, "broker: us", "broker: us, message-ttl: 1h", 1))
		g.equal("us/exchanges/catalog", 1)
		if got := w.buffers(w.us); !slices.Equal(got, []string{buffer + " (2)"}) {
			t.Errorf("after a restart there are %q", got)
		}
	})
}

// A reload touches only what it concerns.
func TestAReloadTouchesOnlyTheLinksConcerned(t *testing.T) {
	inWorld(t, func(w *world) {
		const both = `
upstreams:
	us: {broker: us}
	ap: {broker: ap}
upstream-sets:
	catalogs: [us, ap]
policies:
	catalog: {pattern: "^catalog$", definition: {federation-upstream-set: catalogs}}
`
		w.consumer(w.eu, "shop", "#")
		g := w.gateway("eu", both)
		g.equal("us/exchanges/catalog", 1)
		g.equal("ap/exchanges/catalog", 1)
		us, _ := g.Link("us/exchanges/catalog")
		ap, _ := g.Link("ap/exchanges/catalog")
		g.apply(strings.Replace(both, "[us, ap]", "[us, {upstream: ap, max-hops: 2}]", 1))
		g.equal("ap/exchanges/catalog", 1)
		if now, _ := g.Link("us/exchanges/catalog"); now != us {
			t.Error("the link from us was restarted")
		}
		if now, _ := g.Link("ap/exchanges/catalog"); now == ap {
			t.Error("the link from ap goes on as it was")
		}
		g.apply(strings.Replace(both, "[us, ap]", "[us]", 1))
		if now, _ := g.Link("us/exchanges/catalog"); now != us {
			t.Error("the link from us was restarted")
		}
		if !slices.Equal(g.names(), []string{"us/exchanges/catalog"}) {
			t.Errorf("links %q", g.names())
		}
	})
}

// Only the policy of the highest priority that matches counts.
func TestTheHighestPolicyWins(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.gateway("eu", `
upstreams:
	us: {broker: us}
	ap: {broker: ap}
policies:
	all: {pattern: ".*", apply-to: exchanges, definition: {federation-upstream: us}}
	catalog: {pattern: "^catalog", apply-to: exchanges, priority: 1, definition: {federation-upstream: ap}}
`)
		w.eu.DeclareExchange("orders", memory.Topic)
		w.within(10*time.Second, "both are federated, each by its policy", func() bool {
			return slices.Equal(g.names(), []string{"ap/exchanges/catalog", "us/exchanges/orders"})
		})
	})
}

// One upstream that refuses is the trouble of its own link.
func TestABadUpstreamHoldsUpNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Deny("catalog", buffer)
		w.ap.Silent()
		w.eu.Declare("work", memory.Queue{})
		w.consumer(w.eu, "shop", "#")
		second := memory.New("us2")
		second.DeclareExchange("catalog", memory.Topic)
		g := w.gateway("eu", "upstreams:\n\tus: {broker: us}\n")
		g.brokers["ap2"] = second
		g.applyWith("\tap2: {type: nats, uris: [\"nats://ap2:4222\"]}\n", `
upstreams:
	us: {broker: us}
	ap: {broker: ap}
	ap2: {broker: ap2}
policies:
	catalog: {pattern: "^catalog$", definition: {federation-upstream-set: all}}
`)
		g.equal("ap2/exchanges/catalog", 1)
		w.publish(second, "a", "lamp")
		w.gets(w.eu, "shop", "lamp")
		s := g.status("us/exchanges/catalog")
		if s.State != link.Denied || s.LastError == "" || s.NextTry.IsZero() {
			t.Errorf("us is %s, error %q, next try %v; want denied", s.State, s.LastError, s.NextTry)
		}
		if p := g.Problems(); len(p) != 1 || p[0].Broker != "us" || p[0].NextTry.IsZero() {
			t.Errorf("problems %+v, want one of us", p)
		}
		w.within(3*time.Minute, "ap is told to be away", func() bool { return g.status("ap/exchanges/catalog").State == link.Retrying })
		w.ap.Up()
		g.equal("ap2/exchanges/catalog", 1)
		w.within(3*time.Minute, "ap works", func() bool { return !g.status("ap/exchanges/catalog").Federation.EqualAt.IsZero() })
	})
}

func TestProblemsOfPoliciesAndDownstreams(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.WithoutManagement()
		g := w.gateway("eu", strings.Replace(fromUS, "^catalog", "^catalogue$", 1))
		w.after(time.Second)
		if p := g.Problems(); len(p) != 1 || p[0].Broker != "eu" || p[0].Policy != "" || p[0].NextTry.IsZero() {
			t.Errorf("problems %+v, want that eu cannot be listed", p)
		}
	})
	inWorld(t, func(w *world) {
		g := w.gateway("eu", strings.Replace(fromUS, "^catalog", "^catalogue$", 1))
		w.after(time.Second)
		if p := g.Problems(); len(p) != 1 || p[0].Policy != "catalog" || !strings.Contains(p[0].Text, "matches ^catalogue$") {
			t.Errorf("problems %+v, want that the policy matches nothing", p)
		}
		w.eu.DeclareExchange("catalogue", memory.Topic)
		w.within(10*time.Second, "the problem is gone", func() bool { return len(g.Problems()) == 0 })
	})
}

// Ensure that an upstream of another name, which reads from the same buffer, leaves that buffer bound.
func TestAnotherNameOfAnUpstreamKeepsItsBuffer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "#")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 1)
		g.apply(strings.NewReplacer("us: {broker: us}", "us2: {broker: us}", "federation-upstream: us", "federation-upstream: us2").Replace(fromUS))
		g.equal("us2/exchanges/catalog", 1)
		w.after(10 * time.Second)
		w.publish(w.us, "a", "wanted")
		w.gets(w.eu, "shop", "wanted")
	})
}

// Ensure that a policy which is taken away and put back at once leaves the buffer bound.
func TestAPolicyThatComesBackBindsItsBuffer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "#")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 1)
		g.apply("")
		g.apply(fromUS)
		w.after(10 * time.Second)
		w.publish(w.us, "a", "wanted")
		w.gets(w.eu, "shop", "wanted")
	})
}
