package e2e

import (
	"testing"

	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
)

// plugin has RabbitMQ's own federation plugin pull the exchange fed of another site to this one, and waits until it does.
func (s site) plugin(upstream site) {
	s.t.Helper()
	s.VHost.Parameter("federation-upstream", "up", map[string]any{"uri": upstream.VHost.URIs()[0], "max-hops": 2})
	s.VHost.Policy("fed", "^fed$", "exchanges", map[string]any{"federation-upstream": "up"})
	await.That(s.t, federationLimit, "federated by the plugin", func() bool {
		var links []struct {
			Status string `json:"status"`
		}
		s.VHost.Get("federation-links/{vhost}", &links)
		return len(links) == 1 && links[0].Status == "running"
	})
}

// Ensure that weir one way and RabbitMQ's plugin the other way stop each other's loops.
func TestFederatedExchangeWithPluginTheOtherWay(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "eu", "us")
		eu, us := at[0], at[1]
		for _, s := range at {
			s.exchange("fed", "topic")
			s.queue("q", "fed", "#")
		}
		us.plugin(eu)
		built.Start(t, config+`
upstreams:
  us: {broker: us, max-hops: 2}
policies:
  fed: {pattern: "^fed$", apply-to: exchanges, definition: {federation-upstream: us}}
`)
		eu.pulledBy("federation: ", "fed", "#")
		us.pulled("fed", "#")
		eu.send("fed", "key", prefixed("eu", 50)...)
		us.send("fed", "key", prefixed("us", 50)...)
		for _, s := range at {
			s.gets("q", append(prefixed("eu", 50), prefixed("us", 50)...)...)
		}
	})
}

// Ensure that in a ring of three, of which the plugin is one link, each message gets to each site once.
func TestFederatedExchangeRingWithPlugin(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "a", "b", "c")
		for _, s := range at {
			s.exchange("fed", "fanout")
			s.queue("q", "fed", "")
		}
		at[1].plugin(at[0])
		built.Start(t, config+`
upstreams:
  b: {broker: b, max-hops: 2}
  c: {broker: c, max-hops: 2}
policies:
  at-c: {downstream: c, pattern: "^fed$", apply-to: exchanges, definition: {federation-upstream: b}}
  at-a: {downstream: a, pattern: "^fed$", apply-to: exchanges, definition: {federation-upstream: c}}
`)
		// Each is bound for the site after it, and by way of that for the one after.
		at[0].pulledBy("federation: ", "fed", "", "")
		at[1].pulled("fed", "", "")
		at[2].pulled("fed", "", "")
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
