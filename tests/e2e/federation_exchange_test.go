package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

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
