package federation_test

import (
	"strings"
	"testing"
	"time"

	"weir/broker"
)

// A policy that goes unbinds every generation of its buffer, also one that this gateway has never seen.
func TestAPolicyThatGoesAtOnceUnbindsEveryGeneration(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "#")
		g := w.gateway("eu", fromUS)
		g.equal("us/exchanges/catalog", 1)
		w.eu.Block("memory alarm")
		w.publish(w.us, "a", "held")
		other := strings.Replace(fromUS, "broker: us", "broker: us, message-ttl: 1h", 1)
		g.apply(other)
		g.equal("us/exchanges/catalog", 1)
		g.stop()
		if bound := w.boundTo(w.us, buffer+" (2)"); len(bound) != 1 {
			t.Fatalf("the second generation is bound with %q", bound)
		}
		g = w.gatewayOver("eu", map[string]broker.Broker{"eu": &nameless{Broker: w.eu}, "us": w.us}, other)
		w.within(10*time.Second, "there is a link", func() bool { return len(g.names()) == 1 })
		g.apply("")
		g.Drained()
		for _, name := range []string{buffer, buffer + " (2)"} {
			if bound := w.boundTo(w.us, name); len(bound) > 0 {
				t.Errorf("%s is still bound with %q", name, bound)
			}
		}
		if left, err := g.Leftovers(w.Context()); len(left) != 2 || err != nil {
			t.Errorf("leftovers %v, error %v, want both generations", left, err)
		}
	})
}
