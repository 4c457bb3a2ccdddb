package federation_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"weir/broker"
)

// from are the policies of a site that federates its catalog with others.
func from(maxHops int, upstreams ...string) string {
	text := "upstreams:\n"
	for _, u := range upstreams {
		text += fmt.Sprintf("\t%s: {broker: %s, max-hops: %d}\n", u, u, maxHops)
	}
	return text + "policies:\n\tcatalog: {pattern: \"^catalog$\", definition: {federation-upstream-set: all}}\n"
}

func TestTwoFederatedWithEachOtherDeliverOnceOnBothSides(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "eu", "#")
		w.consumer(w.us, "us", "#")
		eu, us := w.gateway("eu", from(1, "us")), w.gateway("us", from(1, "eu"))
		eu.equal("us/exchanges/catalog", 1)
		us.equal("eu/exchanges/catalog", 1)
		w.publish(w.eu, "a", "made in eu")
		w.publish(w.us, "a", "made in us")
		w.within(30*time.Second, "both are everywhere", func() bool {
			return len(w.eu.Bodies("eu")) == 2 && len(w.us.Bodies("us")) == 2
		})
		w.after(5 * time.Second)
		for queue, got := range map[string][]string{"eu": w.eu.Bodies("eu"), "us": w.us.Bodies("us")} {
			slices.Sort(got)
			if !slices.Equal(got, []string{"made in eu", "made in us"}) {
				t.Errorf("%s got %q", queue, got)
			}
		}
		// The broker kept out of the buffers what would only have been dropped on arrival.
		for _, s := range append(eu.Statuses(), us.Statuses()...) {
			if s.Counts.Received != 1 {
				t.Errorf("%s received %d messages, want the one that is new", s.Name, s.Counts.Received)
			}
		}
	})
}

// In a ring eu <- us <- ap <- eu a message needs two hops to be everywhere, and must not come home.
func TestARingDeliversOnceASite(t *testing.T) {
	inWorld(t, func(w *world) {
		sites := []string{"eu", "us", "ap"}
		upstream := map[string]string{"eu": "us", "us": "ap", "ap": "eu"}
		for i, b := range w.all() {
			w.consumer(b, sites[i], "#")
			w.gateway(sites[i], from(2, upstream[sites[i]]))
		}
		w.after(20 * time.Second) // bindings travel the other way round
		for i, b := range w.all() {
			w.publish(b, "a", sites[i])
		}
		w.within(30*time.Second, "all is everywhere", func() bool {
			return len(w.eu.Bodies("eu")) >= 3 && len(w.us.Bodies("us")) >= 3 && len(w.ap.Bodies("ap")) >= 3
		})
		w.after(10 * time.Second)
		for i, b := range w.all() {
			got := b.Bodies(sites[i])
			slices.Sort(got)
			if !slices.Equal(got, []string{"ap", "eu", "us"}) {
				t.Errorf("%s got %q, want each once", sites[i], got)
			}
		}
	})
}

// ap -> us -> eu: what eu asks for is asked of ap as well, as far as both links' max-hops allow.
func TestBindingsTravelAsFarAsHopsAllow(t *testing.T) {
	for _, c := range []struct{ eu, us, propagated int }{{1, 1, 0}, {2, 1, 1}, {1, 2, 0}, {2, 2, 1}, {3, 1, 1}} {
		t.Run(fmt.Sprintf("eu %d us %d", c.eu, c.us), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.consumer(w.eu, "eu", "a")
				eu, us := w.gateway("eu", from(c.eu, "us")), w.gateway("us", from(c.us, "ap"))
				eu.equal("us/exchanges/catalog", 1)
				w.after(5 * time.Second)
				us.equal("ap/exchanges/catalog", c.propagated)
				w.publish(w.ap, "a", "from afar")
				var want []string
				if c.eu >= 2 && c.propagated == 1 {
					want = []string{"from afar"}
				}
				w.gets(w.eu, "eu", want...)
				w.eu.Unbind("eu", "catalog", "a")
				eu.equal("us/exchanges/catalog", 0)
				w.after(5 * time.Second)
				us.equal("ap/exchanges/catalog", 0)
			})
		})
	}
}

// What the plugin has stamped counts, and what clients have forged does no harm.
func TestWhatHasBeenThereStaysAway(t *testing.T) {
	been := func(cluster, vhost string) broker.Array {
		return broker.Array{broker.Table{"cluster-name": cluster, "vhost": vhost, "uri": "amqp://x", "exchange": "catalog", "redelivered": false}}
	}
	for name, c := range map[string]struct {
		received any
		crosses  bool
	}{
		"it has been in eu":                {been("eu", "/"), false},
		"in another vhost of that cluster": {been("eu", "test"), true},
		"elsewhere":                        {been("asia", "/"), true},
		"too many links":                   {append(been("asia", "/"), been("africa", "/")...), false},
		"no list":                          {"forged", true},
		"no tables":                        {broker.Array{"forged"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.consumer(w.eu, "eu", "#")
				g := w.gateway("eu", from(2, "us"))
				g.equal("us/exchanges/catalog", 1)
				m := &broker.Message{Exchange: "catalog", RoutingKey: "a", Body: []byte("it"), Headers: broker.Table{"x-received-from": c.received}}
				if err := w.us.Publish(m); err != nil {
					t.Fatal(err)
				}
				if c.crosses {
					w.gets(w.eu, "eu", "it")
					return
				}
				w.gets(w.eu, "eu")
				if s := g.status("us/exchanges/catalog"); s.Counts.Filtered != 1 || w.us.Bodies("weir: catalog -> eu///catalog") != nil {
					t.Errorf("filtered %d, want 1, and nothing left: %q", s.Counts.Filtered, w.us.Bodies("weir: catalog -> eu///catalog"))
				}
			})
		})
	}
}
