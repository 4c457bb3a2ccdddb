package e2e

import (
	"fmt"
	"testing"

	"weir/tests/built"
	"weir/tests/lab"
)

// Ensure two exchanges that federate each other get each message once.
func TestFederatedExchangeBothWays(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "eu", "us")
		for _, s := range at {
			s.exchange("fed", "topic")
			s.queue("q", "fed", "#")
		}
		built.Start(t, config+`
upstreams:
  eu: {broker: eu, max-hops: 2}
  us: {broker: us, max-hops: 2}
policies:
  at-eu: {pattern: "^fed$", apply-to: exchanges, definition: {federation-upstream: us}}
  at-us: {downstream: us, pattern: "^fed$", apply-to: exchanges, definition: {federation-upstream: eu}}
`)
		at[0].pulled("fed", "#")
		at[1].pulled("fed", "#")
		at[0].send("fed", "key", prefixed("eu", 50)...)
		at[1].send("fed", "key", prefixed("us", 50)...)
		for _, s := range at {
			s.gets("q", append(prefixed("eu", 50), prefixed("us", 50)...)...)
			s.holds(0, s.buffers()...)
		}
	})
}

// Ensure that in a ring of three a message of any site gets to each of the others over two hops, and to each site once.
func TestFederatedExchangeRing(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "a", "b", "c")
		config += "upstreams:\n  a: {broker: a, max-hops: 2}\n  b: {broker: b, max-hops: 2}\n  c: {broker: c, max-hops: 2}\npolicies:\n"
		for i, name := range []string{"a", "b", "c"} {
			at[i].exchange("fed", "fanout")
			at[i].queue("q", "fed", "")
			before := []string{"c", "a", "b"}[i]
			config += fmt.Sprintf("  at-%s: {downstream: %s, pattern: ^fed$, apply-to: exchanges, definition: {federation-upstream: %s}}\n", name, name, before)
		}
		built.Start(t, config)
		for _, s := range at {
			s.pulled("fed", "", "") // for the site after it, and by way of that for the one after
		}
		var want []string
		for i, name := range []string{"a", "b", "c"} {
			bodies := prefixed(name, 20)
			at[i].send("fed", "", bodies...)
			want = append(want, bodies...)
		}
		for _, s := range at {
			s.gets("q", want...)
		}
	})
}

// Ensure that along a chain a <- b <- c <- d bindings get as far as max-hops of each link lets them.
func TestFederatedExchangeChain(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		for _, row := range []struct {
			hops [3]int // of the links b to a, c to b, d to c
			want [3]bool
		}{
			{[3]int{1, 1, 1}, [3]bool{true, false, false}},
			{[3]int{2, 2, 1}, [3]bool{true, true, false}},
			{[3]int{3, 1, 3}, [3]bool{true, true, false}},
			{[3]int{3, 3, 3}, [3]bool{true, true, true}},
		} {
			at, config := sites(t, broker, "a", "b", "c", "d")
			config += "upstreams:\n"
			for i, name := range []string{"b", "c", "d"} {
				config += fmt.Sprintf("  %s: {broker: %s, max-hops: %d}\n", name, name, row.hops[i])
			}
			config += "policies:\n"
			for i, name := range []string{"a", "b", "c"} {
				config += fmt.Sprintf("  at-%s: {downstream: %s, pattern: ^fed$, apply-to: exchanges, definition: {federation-upstream: %s}}\n",
					name, name, []string{"b", "c", "d"}[i])
			}
			for i := range 3 { // d gets its exchange from c's link
				at[i].exchange("fed", "topic")
				at[i].queue("own", "fed", fmt.Sprint("own.", i))
			}
			at[0].queue("q", "fed", "deep")
			g := built.Start(t, config)
			for i := range 3 {
				var keys []string
				for from := range i + 1 { // the queues downstream of link i
					if reaches(row.hops, from, i) {
						keys = append(keys, fmt.Sprint("own.", from))
					}
				}
				if row.want[i] {
					keys = append(keys, "deep")
				}
				at[i+1].pulled("fed", keys...)
			}
			for i := range 3 {
				at[i+1].send("fed", "deep", fmt.Sprint("from ", i+1))
			}
			var want []string
			for i := range 3 {
				if row.want[i] {
					want = append(want, fmt.Sprint("from ", i+1))
				}
			}
			at[0].gets("q", want...)
			g.Terminate()
		}
	})
}

// reaches tells whether a binding at site from gets over the link numbered to (see TestFederatedExchangeChain).
func reaches(hops [3]int, from, to int) bool {
	left := hops[from]
	for i := from + 1; i <= to; i++ {
		left = min(left-1, hops[i])
	}
	return left > 0
}
