package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
)

const fromUS = `
upstreams:
  us: {broker: us}
policies:
  fed: {pattern: "^fed", apply-to: exchanges, definition: {federation-upstream: us}}
`

// Ensure messages of one upstream, then of several, get into each queue downstream that wants them, and no others do.
func TestFederatedExchange(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "eu", "us", "ap")
		eu, us, ap := at[0], at[1], at[2]
		eu.exchange("fed", "topic")
		eu.queue("one", "fed", "order.*")
		eu.queue("two", "fed", "order.paid", "stock.#")
		g := built.Start(t, config+fromUS)
		us.pulled("fed", "order.*", "order.paid", "stock.#")
		for key, body := range map[string]string{"order.paid": "1", "order.sent": "2", "stock.eu": "3", "invoice": "4"} {
			us.send("fed", key, body)
		}
		eu.gets("one", "1", "2")
		eu.gets("two", "1", "3")

		g.Reload(config + `
upstreams:
  us: {broker: us}
  ap: {broker: ap, exchange: other}
policies:
  fed: {pattern: "^fed", apply-to: exchanges, definition: {federation-upstream-set: all}}
`)
		ap.pulled("other", "order.*", "order.paid", "stock.#")
		ap.send("other", "order.paid", "5")
		us.send("fed", "order.paid", "6")
		eu.gets("one", "5", "6")
		eu.gets("two", "5", "6")
		// What is bound later is pulled, too, and so is an exchange that comes later.
		eu.queue("two", "fed", "invoice")
		eu.exchange("fed.later", "fanout")
		eu.queue("three", "fed.later", "")
		us.pulled("fed", "order.*", "order.paid", "stock.#", "invoice")
		us.pulled("fed.later", "")
		us.send("fed", "invoice", "7")
		us.send("fed.later", "any", "8")
		eu.gets("two", "7")
		eu.gets("three", "8")
	})
}

// Ensure that one of two equal bindings keeps the upstream's, and the last one takes it away.
func TestFederatedExchangeUnbindOneOfTwo(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "eu", "us")
		eu, us := at[0], at[1]
		eu.exchange("fed", "direct")
		eu.queue("one", "fed", "key", "only")
		eu.queue("two", "fed", "key")
		built.Start(t, config+fromUS)
		us.pulled("fed", "key", "only")
		eu.unbind("one", "fed", "key")
		eu.unbind("one", "fed", "only")
		us.pulled("fed", "key")
		us.send("fed", "key", "1")
		us.send("fed", "only", "2")
		eu.gets("two", "1")
		eu.gets("one")
		eu.unbind("two", "fed", "key")
		us.pulled("fed")
	})
}

// Ensure that a binding to another exchange is a want like one to a queue.
func TestFederatedExchangeBoundToExchange(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "eu", "us")
		eu, us := at[0], at[1]
		eu.exchange("fed", "topic")
		eu.exchange("inner", "topic")
		eu.queue("q", "inner", "order.#")
		eu.must(eu.ch.ExchangeBind("inner", "order.*", "fed", false, nil))
		built.Start(t, config+fromUS)
		us.pulled("fed", "order.*")
		us.send("fed", "order.paid", "1")
		us.send("fed", "stock", "2")
		eu.gets("q", "1")
		eu.must(eu.ch.ExchangeUnbind("inner", "order.*", "fed", false, nil))
		us.pulled("fed")
	})
}

// Ensure that an exchange of a plugin's type is federated: all that is published upstream is shared out downstream, by the
// weights of the bindings there, and nothing comes twice.
func TestFederatedExchangeConsistentHash(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "eu", "us")
		eu, us := at[0], at[1]
		eu.exchange("fed", "x-consistent-hash")
		eu.queue("one", "fed", "1")
		eu.queue("two", "fed", "1")
		built.Start(t, config+fromUS)
		us.pulled("fed", "1")
		for i := range 40 {
			us.send("fed", fmt.Sprint("customer-", i), fmt.Sprint(i))
		}
		eu.holds(40, "one", "two")
		for _, queue := range []string{"one", "two"} {
			if q, err := eu.ch.QueueDeclarePassive(queue, true, false, false, false, nil); err != nil || q.Messages == 0 {
				t.Errorf("queue %s has no share of what came: %v", queue, err)
			}
		}
	})
}

// Ensure that a headers exchange is federated by the arguments of its bindings, and that a message comes as it was sent:
// with the hop added as RabbitMQ's plugin writes it, without the user-id, and without any credentials.
func TestFederatedExchangeMessage(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "eu", "us")
		eu, us := at[0], at[1]
		eu.exchange("fed", "headers")
		eu.queue("q", "")
		eu.must(eu.ch.QueueBind("q", "", "fed", false, amqp.Table{"x-match": "all", "region": "eu", "level": int64(3)}))
		eu.must(eu.ch.QueueBind("q", "", "fed", false, amqp.Table{"x-match": "any", "urgent": true}))
		eu.must(eu.ch.QueueBind("q", "", "fed", false, amqp.Table{"x-match": "all-with-x", "x-kind": "sale"}))
		built.Start(t, config+fromUS)
		us.pulled("fed", "", "", "")
		sent := amqp.Publishing{
			Headers: amqp.Table{"region": "eu", "level": int32(3)}, ContentType: "text/plain", CorrelationId: "c", MessageId: "m",
			UserId: us.VHost.Username, DeliveryMode: amqp.Persistent, Priority: 3, Timestamp: time.Unix(1_700_000_000, 0), Body: []byte("1"),
		}
		us.must(us.ch.Publish("fed", "key", false, false, sent))
		other := sent
		other.Headers, other.Body = amqp.Table{"region": "eu"}, []byte("2")
		us.must(us.ch.Publish("fed", "key", false, false, other))
		other.Headers, other.Body = amqp.Table{"urgent": true}, []byte("3")
		us.must(us.ch.Publish("fed", "key", false, false, other))
		other.Headers, other.Body = amqp.Table{"x-kind": "sale"}, []byte("4")
		us.must(us.ch.Publish("fed", "key", false, false, other))
		eu.holds(3, "q")
		m, _, err := eu.ch.Get("q", true)
		eu.must(err)
		if string(m.Body) != "1" || m.RoutingKey != "key" || m.ContentType != "text/plain" || m.CorrelationId != "c" ||
			m.MessageId != "m" || m.DeliveryMode != amqp.Persistent || m.Priority != 3 || !m.Timestamp.Equal(sent.Timestamp) ||
			m.Headers["region"] != "eu" || m.Headers["level"] != int32(3) {
			t.Errorf("got %+v, want it as it was sent", m)
		}
		if m.UserId != "" {
			t.Errorf("user-id %q has come along", m.UserId)
		}
		hops, _ := m.Headers["x-received-from"].([]any)
		if len(hops) != 1 {
			t.Fatalf("x-received-from is %v, want one hop", m.Headers["x-received-from"])
		}
		hop, _ := hops[0].(amqp.Table)
		if hop["cluster-name"] != broker.Name || hop["vhost"] != us.VHost.Name || hop["exchange"] != "fed" || hop["redelivered"] != false {
			t.Errorf("the hop is %v, want that of %s, vhost %s, exchange fed", hop, broker.Name, us.VHost.Name)
		}
		if uri := fmt.Sprint(hop["uri"]); !strings.HasPrefix(uri, "amqp://127.0.0.1") || strings.Contains(uri, us.VHost.Password) {
			t.Errorf("the uri of the hop is %q", uri)
		}
	})
}

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
