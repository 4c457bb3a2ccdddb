package e2e

import (
	"fmt"
	"strings"
	"testing"

	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
)

// Ensure that a policy that goes leaves what is in its buffer where it is, pulls nothing more, and comes back to it; and
// that upstreams and sets can change without touching other links.
func TestFederatedExchangePolicies(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "eu", "us", "ap")
		eu, us, ap := at[0], at[1], at[2]
		eu.exchange("fed", "topic")
		eu.queue("q", "fed", "#")
		eu.exchange("off.fed", "topic")
		eu.queue("off", "off.fed", "#")
		with := func(us, ap, set string) string {
			return config + fmt.Sprintf(`
upstreams:
  us: {broker: us%s}
  ap: {broker: ap%s}
upstream-sets:
  far: [%s]
policies:
  fed: {pattern: "^fed$", apply-to: exchanges, definition: {federation-upstream-set: far}}
  off: {pattern: "^off", apply-to: exchanges, definition: {federation-upstream: us}}
`, us, ap, set)
		}
		g := built.Start(t, with("", "", "us"))
		us.pulled("fed", "#")
		us.pulled("off.fed", "#")
		us.send("fed", "key", "1")
		eu.gets("q", "1")

		g.Reload(with("", "", "us, ap"))
		ap.pulled("fed", "#")
		g.Reload(with("", ", exchange: elsewhere", "us, ap"))
		ap.pulled("elsewhere", "#")
		ap.pulled("fed")
		ap.send("elsewhere", "key", "2")
		us.send("fed", "key", "3")
		eu.gets("q", "2", "3")
		if opened := g.Log.Lines("link open", "link=us/exchanges/fed"); len(opened) != 1 {
			t.Errorf("the link that nothing concerned was opened %d times", len(opened))
		}

		g.Reload(with("", "", "ap"))
		us.pulled("fed")
		us.send("fed", "key", "4")
		us.send("off.fed", "key", "5")
		eu.gets("off", "5")
		eu.gets("q")
		g.Reload(with("", "", "us"))
		us.pulled("fed", "#")
		us.send("fed", "key", "6")
		eu.gets("q", "6")
		if n := len(us.buffers()); n != 2 {
			t.Errorf("%d buffers at the upstream, want one for each link", n)
		}
	})
}

// Ensure nothing that waits in a buffer is deleted when its policy goes: it is listed, comes when the policy is back, and
// weir gc removes the buffer only when it is empty.
func TestFederatedExchangeKeepsWhatIsBuffered(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "eu", "us")
		eu, us := at[0], at[1]
		eu.exchange("fed", "topic")
		eu.queue("q", "fed", "#")
		g := built.Start(t, config+fromUS)
		us.pulled("fed", "#")
		g.Terminate()
		us.send("fed", "key", prefixed("", 5)...)
		us.holds(5, us.buffers()...)
		g = built.Start(t, config)
		if out, err := g.Run("gc", "--yes"); err == nil || !strings.Contains(out, us.buffers()[0]) {
			t.Errorf("weir gc of a buffer that holds messages: %v, printed %q", err, out)
		}
		us.holds(5, us.buffers()...)
		g.Reload(config + fromUS)
		eu.gets("q", prefixed("", 5)...)
		g.Reload(config)
		await.That(t, federationLimit, "rid of the empty buffer", func() bool {
			_, err := g.Run("gc", "--yes")
			return err == nil && len(us.buffers()) == 0
		})
	})
}

// Ensure that bindings that went and came while the upstream was away are right when it is back. The buffer is a classic
// queue: RabbitMQ 3.10 alone loses a quorum queue that was made a moment before it is killed, and what is left of it never
// gets a leader.
func TestFederatedExchangeUpstreamRestarts(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		cluster := lab.StartCluster(t, lab.Spec{Version: broker.Version, Nodes: 1, Name: "us"})
		eu, us := newSite(t, broker.VHost(t)), newSite(t, cluster.VHost(t))
		eu.exchange("fed", "topic")
		eu.queue("q", "fed", "stays", "goes", "goes.and.comes")
		built.Start(t, "version: 1\nsite: eu\nlocal: eu\nbrokers:\n  eu: "+eu.YAML()+"\n  us: "+us.YAML()+`
upstreams:
  us: {broker: us, queue-type: classic, reconnect-delay: {max: 2s}}
policies:
  fed: {pattern: "^fed", apply-to: exchanges, definition: {federation-upstream: us}}
`)
		us.pulled("fed", "stays", "goes", "goes.and.comes")
		us.send("fed", "stays", "1")
		eu.gets("q", "1")
		cluster.Kill(0)
		eu.unbind("q", "fed", "goes")
		eu.unbind("q", "fed", "goes.and.comes")
		eu.queue("q", "fed", "goes.and.comes", "comes")
		cluster.Restart(0)
		us = newSite(t, us.VHost)
		us.pulled("fed", "stays", "goes.and.comes", "comes")
		for _, key := range []string{"stays", "goes", "goes.and.comes", "comes"} {
			us.send("fed", key, key)
		}
		eu.gets("q", "stays", "goes.and.comes", "comes")
	})
}
