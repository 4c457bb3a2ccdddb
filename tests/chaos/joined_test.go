package chaos

import (
	"fmt"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/link"
	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
	"weir/tests/shop"
)

// joined is a configuration with every kind of link from eu to us: two shovels, a federated exchange with a buffer of this type,
// and a federated queue.
func joined(eu, us *lab.VHost, buffer string) string {
	return fmt.Sprintf(`
version: 1
site: us
local: eu
brokers:
  eu: %s
  us: %s
shovels:
  plain: {source: {queue: plain}, destinations: [{broker: us, queue: plain}]}
  single: {source: {queue: single}, destinations: [{broker: us, exchange: single, routing-key: order.created}]}
upstreams:
  eu: {broker: eu, queue-type: %s}
policies:
  catalog: {downstream: us, pattern: "^catalog$", apply-to: exchanges, definition: {federation-upstream: eu}}
  work: {downstream: us, pattern: "^work$", apply-to: queues, definition: {federation-upstream: eu}}
defaults: {confirm-timeout: 5s}
`, shop.Rabbit{VHost: eu}.YAML(), shop.Rabbit{VHost: us}.YAML(), buffer)
}

// queueOn declares a queue from node i, which has its leader then, and binds it to an exchange of the same name.
func queueOn(t *testing.T, vhost *lab.VHost, i int, name string, args amqp091.Table) {
	t.Helper()
	conn, err := amqp091.Dial(vhost.URIs()[i])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(name, true, false, false, false, args); err != nil {
		t.Fatal(err)
	}
	if err := ch.ExchangeDeclare(name, "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.QueueBind(name, "order.#", name, false, nil); err != nil {
		t.Fatal(err)
	}
}

// joinedFlow is what goes through one link.
type joinedFlow struct {
	name string
	from *stream
	to   *ledger
}

type joinedFlows []joinedFlow

// begin publishes at eu and consumes at us, through each link.
func begin(t *testing.T, g *built.Gateway, eu, us *lab.VHost) (all joinedFlows) {
	t.Helper()
	await.That(t, 2*time.Minute, "open", func() bool {
		return g.Has("plain", link.Idle) && g.Has("single", link.Idle) && g.Has("eu/us/exchanges/catalog", link.Idle) && g.Has("eu/us/queues/work", link.Shut)
	})
	for _, name := range []string{"plain", "single", "catalog", "work"} {
		all = append(all, joinedFlow{name, publish(t, eu, name, "order.created"), consume(t, us, name)})
	}
	return all
}

// goOn waits until so many more have arrived through each.
func (f joinedFlows) goOn(t *testing.T, n int) {
	t.Helper()
	began := time.Now()
	before := map[string]int{}
	for _, flow := range f {
		before[flow.name] = flow.to.count()
	}
	for _, flow := range f {
		await.That(t, 3*time.Minute, fmt.Sprintf("%d more orders in %s", n, flow.name), func() bool {
			return flow.to.count() >= before[flow.name]+n
		})
		t.Logf("%s: %d more within %v", flow.name, n, time.Since(began).Round(10*time.Millisecond))
	}
}

// wantAll ends them and fails unless all that was confirmed has arrived. What arrives twice was in flight at one of so many
// faults.
func (f joinedFlows) wantAll(t *testing.T, faults int) {
	t.Helper()
	for _, flow := range f {
		flow.to.wantAll(t, flow.from, faults)
	}
}
