package chaos

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/link"
	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
)

const (
	shippedConfig = "../../examples/cluster/haproxy.cfg"
	limitOfWaits  = 2 * time.Minute
	window        = 200 // messages that a link has in flight at most
)

// balanced is a region: a cluster of three behind HAProxy.
type balanced struct {
	*lab.Cluster
	*lab.HAProxy
	vhost *lab.VHost
}

// yaml declares it for weir, which knows HAProxy and no node.
func (b balanced) yaml() string {
	return fmt.Sprintf(`{type: rabbitmq, uris: ["amqp://%s"], vhost: %q, username: %q, password: %q, heartbeat: 3s, management: {uris: ["http://%s"]}}`,
		b.AMQP, b.vhost.Name, b.vhost.Username, b.vhost.Password, b.Management)
}

// server is a node as HAProxy calls it.
func server(i int) string { return fmt.Sprintf("amqp/rmq-%d", i+1) }

// set puts a node to "ready", "drain" or "maint" at HAProxy.
func (b balanced) set(i int, state string) { b.Command("set server " + server(i) + " state " + state) }

// isUp tells whether HAProxy sends connections to a node.
func (b balanced) isUp(i int) bool { return b.Stat(server(i))["status"] == "UP" }

// connections is how many a node has, from HAProxy.
func (b balanced) connections(server string) int { return b.count(server, "scur") }

// taken is how many AMQP connections HAProxy has taken so far.
func (b balanced) taken() int { return b.count("amqp/FRONTEND", "stot") }

func (b balanced) count(of, what string) int {
	n, _ := strconv.Atoi(b.Stat(of)[what]) // HAProxy's own figure
	return n
}

// between is two regions behind HAProxy, the weir between them, and the roads that it keeps open.
type between struct {
	t      *testing.T
	eu, us balanced
	weir   *built.Gateway
	roads  []*road
}

var links = []string{"orders", "eu/exchanges/catalog", "eu/queues/work"}

// Ensure a weir that knows nothing but two HAProxies, with the configuration that we ship, goes on through whatever happens to them
// and to what is behind them: nothing is lost, order is kept, and no more comes twice than was in flight.
func TestBehindHAProxy(t *testing.T) {
	b := between{t: t}
	var both sync.WaitGroup
	start := func(region *balanced, name, version string) {
		// A frozen node is no partition while the test looks on.
		region.Cluster = lab.StartCluster(t, lab.Spec{Version: version, Nodes: 3, Name: name, Config: "net_ticktime = 300\n"})
	}
	both.Go(func() { start(&b.eu, "eu", "4.0") })
	both.Go(func() { start(&b.us, "us", "3.10") })
	both.Wait()
	for _, region := range []*balanced{&b.eu, &b.us} {
		region.vhost = region.Cluster.VHost(t)
		region.HAProxy = lab.StartHAProxy(t, shippedConfig, region.Cluster)
		b.declare(region.vhost)
	}
	b.weir = built.Start(t, fmt.Sprintf(`
version: 1
site: us
local: us
brokers:
  eu: %s
  us: %s
upstreams:
  eu: {broker: eu, prefetch-count: %d}
policies:
  catalog: {pattern: "^catalog$", apply-to: exchanges, definition: {federation-upstream: eu}}
  work: {pattern: "^work$", apply-to: queues, definition: {federation-upstream: eu}}
shovels:
  orders: {source: {broker: eu, queue: orders, prefetch-count: %[3]d}, destinations: [{broker: us, queue: orders}]}
defaults: {reconnect-delay: {min: 500ms, max: 4s}}
`, b.eu.yaml(), b.us.yaml(), window))
	await.That(t, limitOfWaits, "open: all links", b.open)
	await.That(t, limitOfWaits, "bound like the downstream: the exchange's buffer", func() bool {
		f := b.weir.Status(links[1]).Federation
		return f.Bindings != nil && *f.Bindings == 1 && !f.EqualAt.IsZero()
	})

	publishing, stop := context.WithCancel(t.Context())
	for _, r := range []struct{ name, exchange, key, queue string }{
		{"shovel", "", "orders", "orders"},
		{"exchange", "catalog", "item.new", "catalog"},
		{"queue", "", "work", "work"},
	} {
		road := &road{name: r.name}
		road.open(t, publishing.Done(), b.eu.vhost, r.exchange, r.key, b.us.vhost, r.queue)
		b.roads = append(b.roads, road)
	}
	b.flows("from the beginning", func() {})

	b.nodesInMaintenance()
	b.nodeDies()
	b.nodeIsDrained()
	b.balancerDies()
	b.nobodyThere()
	b.nodeFreezes()
	b.balancerReloads()

	stop()
	b.reckon()
}

// declare makes what messages are published to and consumed from, on both sides alike but for the exchange's queue.
func (b *between) declare(v *lab.VHost) {
	b.t.Helper()
	ch := v.Channel()
	queues := []string{"orders", "work"}
	if v == b.us.vhost {
		queues = append(queues, "catalog")
	}
	err := ch.ExchangeDeclare("catalog", "topic", true, false, false, false, nil)
	for _, queue := range queues {
		if err == nil {
			_, err = ch.QueueDeclare(queue, true, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
		}
	}
	if err == nil && v == b.us.vhost {
		err = ch.QueueBind("catalog", "item.#", "catalog", false, nil)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// open tells whether every link is at work, or is waiting for demand.
func (b *between) open() bool {
	for _, name := range links[:2] {
		if !b.weir.Has(name, link.Running, link.Idle) {
			return false
		}
	}
	return b.weir.Has(links[2], link.Running, link.Idle, link.Shut)
}

// flows waits until messages arrive on every road that were published after something had happened.
func (b *between) flows(what string, happens func()) {
	b.t.Helper()
	b.flowsOn(b.roads, what, happens)
}

func (b *between) flowsOn(roads []*road, what string, happens func()) {
	b.t.Helper()
	began := time.Now()
	happens()
	marks := make([]int, len(roads))
	for i, r := range roads {
		marks[i] = r.newest()
	}
	for i, r := range roads {
		var at time.Time
		await.That(b.t, limitOfWaits, fmt.Sprintf("flowing again on road %s: %s", r.name, what), func() (ok bool) {
			at, ok = r.passed(marks[i])
			return ok
		})
		b.t.Logf("%s: %s flows after %v", what, r.name, at.Sub(began).Round(10*time.Millisecond))
	}
}

func (b *between) regions() []balanced { return []balanced{b.eu, b.us} }

// settled waits until HAProxy has every node again and every link is at work.
func (b *between) settled() {
	b.t.Helper()
	for _, region := range b.regions() {
		for i := range region.Nodes {
			await.That(b.t, limitOfWaits, "up at HAProxy: "+server(i), func() bool { return region.isUp(i) })
		}
	}
	await.That(b.t, limitOfWaits, "open: all links", b.open)
}

// gather has all of weir's connections at node i: an operator takes the others into maintenance, and gives them back.
func (b *between) gather(i int) {
	b.t.Helper()
	for _, state := range []string{"maint", "ready"} {
		for _, region := range b.regions() {
			for j := range region.Nodes {
				if j != i {
					region.set(j, state)
				}
			}
		}
		if state == "maint" {
			b.flows("the other nodes are in maintenance", func() {})
		}
		await.That(b.t, limitOfWaits, "open: all links", b.open)
	}
	b.settled()
}

func (b *between) nodesInMaintenance() { b.gather(1) }

// nodeDies: a node of each cluster has a power cut and comes back.
func (b *between) nodeDies() {
	b.flows("a node is killed on both sides", func() {
		for _, region := range b.regions() {
			region.Cluster.Kill(1)
		}
	})
	var both sync.WaitGroup
	for _, region := range b.regions() {
		both.Go(func() { region.Cluster.Restart(1) })
	}
	both.Wait()
	b.settled()
}

// nodeIsDrained: an operator takes a node out gently. What is connected stays until its connections are ended, too.
func (b *between) nodeIsDrained() {
	b.gather(2)
	before := b.reconnects()
	b.flows("a node is drained on both sides", func() {
		for _, region := range b.regions() {
			region.set(2, "drain")
		}
	})
	if after := b.reconnects(); after != before {
		b.t.Errorf("%d sessions lost by a drain", after-before)
	}
	b.flows("the connections of the drained node are ended", func() {
		for _, region := range b.regions() {
			region.Command("shutdown sessions server " + server(2))
		}
	})
	for _, region := range b.regions() {
		await.That(b.t, limitOfWaits, "without connections: the drained node", func() bool { return region.connections(server(2)) == 0 })
		region.set(2, "ready")
	}
	b.settled()
}

// balancerDies: HAProxy crashes, and systemd starts it again.
func (b *between) balancerDies() {
	b.flows("HAProxy is killed and started on both sides", func() {
		for _, region := range b.regions() {
			region.HAProxy.Kill()
			region.HAProxy.Restart()
		}
	})
	b.settled()
}

// balancerReloads: nobody notices.
func (b *between) balancerReloads() {
	b.settled()
	before := b.reconnects()
	b.flows("HAProxy is reloaded on both sides", func() {
		for _, region := range b.regions() {
			region.Reload()
		}
	})
	if after := b.reconnects(); after != before {
		b.t.Errorf("%d sessions lost by reloads", after-before)
	}
	b.settled()
}

func (b *between) reconnects() (n int64) {
	b.t.Helper()
	for _, s := range b.weir.Statuses() {
		n += s.Counts.Reconnects
	}
	return n
}

// nobodyThere: HAProxy takes connections, has nobody to pass them on to, and closes them.
func (b *between) nobodyThere() {
	const (
		why   = "closed before the broker said anything"
		tries = 6 // of the shovel; its delays have grown by then
	)
	for _, away := range []struct {
		balanced
		state link.State
	}{{b.us, link.Holding}, {b.eu, link.Retrying}} {
		for i := range away.Nodes {
			away.set(i, "maint")
		}
		before, began := away.taken(), time.Now()
		await.That(b.t, limitOfWaits, "telling why the shovel is down", func() bool {
			s := b.weir.Status("orders")
			return s.State == away.state && strings.Contains(s.Reason, why) && s.Attempt >= tries
		})
		// Some ten tasks connect on their own. Each takes some tries until its delays are 2 s on average.
		n, most := away.taken()-before, 100+10*int(time.Since(began).Seconds())
		b.t.Logf("%d connections in %v while there was nobody to connect to", n, time.Since(began).Round(time.Second))
		if n > most {
			b.t.Errorf("want at most %d", most)
		}
		if len(b.weir.Log.Lines("link=orders", "state="+string(away.state), why, "next-try=")) == 0 {
			b.t.Errorf("the log does not tell %q", why)
		}
		b.flows("all nodes are back behind HAProxy", func() {
			for i := range away.Nodes {
				away.set(i, "ready")
			}
		})
		b.settled()
	}
}

// nodeFreezes: a node hangs, with its connections open and its port taking more. First HAProxy does not look, as one would not see it
// that only connects; then it does. The buffer of the exchange has a single active consumer, which for the cluster is the one at the
// node that hangs, until it takes the node for down.
func (b *between) nodeFreezes() {
	b.gather(1)
	competing := slices.DeleteFunc(slices.Clone(b.roads), func(r *road) bool { return r.name == "exchange" })
	b.flowsOn(competing, "a node freezes, and HAProxy does not notice", func() {
		b.eu.Command("disable health " + server(1))
		b.eu.Pause(1)
	})
	b.eu.Command("enable health " + server(1))
	await.That(b.t, limitOfWaits, "down at HAProxy: the node that is frozen", func() bool { return b.eu.Stat(server(1))["status"] == "DOWN" })
	b.flows("the frozen node goes on", func() { b.eu.Continue(1) })
	b.settled()
}

// reckon waits for the last messages and counts.
func (b *between) reckon() {
	b.t.Helper()
	for i, r := range b.roads {
		again, late := r.reckon(b.t)
		faults := b.weir.Status(links[i]).Counts.Reconnects
		b.t.Logf("%s: %d arrived, %d of them again, %d late, %d sessions lost", r.name, len(r.arrived), again, late, faults)
		if int64(again) > faults*window {
			b.t.Errorf("%s: %d messages came again, want at most %d in flight when each of %d sessions was lost", r.name, again, window, faults)
		}
		// What the frozen node had given to a connection that nobody reads any more came back when it went on, and later ones did
		// not wait for it.
		held := window
		if r.name == "exchange" { // they did
			held = 0
		}
		if late > held {
			b.t.Errorf("%s: %d messages came after later ones, want at most %d", r.name, late, held)
		}
	}
}
