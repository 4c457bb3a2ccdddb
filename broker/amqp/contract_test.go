package amqp_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/amqp"
	"weir/broker/brokertest"
	"weir/tests/lab"
)

// Ensure the driver keeps the contract on every version with quorum queues, and on the oldest and the newest with classic
// ones. Each version gets a cluster of its own: one behaviour sets off its memory alarm, and others wait for statistics.
func TestContract(t *testing.T) {
	t.Parallel()
	for _, version := range lab.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			cluster := lab.StartCluster(t, lab.Spec{Version: version, Config: "collect_statistics_interval = 1000\n"})
			kinds := []string{"quorum", "classic"}
			if version == "4.0" {
				kinds = kinds[:1]
			}
			for _, kind := range kinds {
				t.Run(kind, func(t *testing.T) {
					brokertest.Run(t, brokertest.Harness{
						Start:    func(t *testing.T) *brokertest.Rig { return start(t, cluster, kind) },
						Parallel: true,
						Timeout:  patience,
						Cannot: map[string]string{
							brokertest.TooLarge: "RabbitMQ closes the channel, and everything in flight is lost; see TestTooLarge",
						},
					})
				})
			}
			t.Run("federation", func(t *testing.T) {
				brokertest.Federation(t, brokertest.Harness{
					Start:    func(t *testing.T) *brokertest.Rig { return start(t, cluster, "quorum") },
					Parallel: true,
					Timeout:  patience,
				})
			})
		})
	}
}

// start makes a rig on a vhost of its own, behind a proxy.
func start(t *testing.T, cluster *lab.Cluster, kind string) *brokertest.Rig {
	t.Helper()
	v := cluster.VHost(t)
	hears(v)
	node := cluster.Nodes[0]
	proxy := brokertest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", node.AMQP))
	silent := brokertest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", node.AMQP))
	silent.Hold()
	forbidden, password := v.User("forbidden")
	v.Permit(forbidden, "", "", "")

	open := func(address, username, password string) *amqp.Broker {
		c := config(v)
		c.URIs, c.Credentials = []string{"amqp://" + address}, login(username, password)
		c.Management.Credentials = login(v.Username, v.Password)
		return newBroker(t, c)
	}
	ch := v.Channel()
	names := 0
	name := func(prefix string) string { names++; return fmt.Sprintf("%s-%d", prefix, names) }
	declare := func(kind string, args amqp091.Table) brokertest.Queue {
		args["x-queue-type"] = kind
		q := name("queue")
		must(ch.QueueDeclare(q, true, false, false, false, args))(t)
		at := broker.Address{Queue: q}
		return brokertest.Queue{Source: at, Sink: at, Route: brokertest.Route{RoutingKey: q}}
	}
	return &brokertest.Rig{
		Broker: open(proxy.Addr(), v.Username, v.Password),
		Queue: func(o brokertest.QueueOptions) brokertest.Queue {
			if o.Full { // a quorum queue may take some more before it says so
				q := declare("classic", amqp091.Table{"x-max-length": int32(1), "x-overflow": "reject-publish"})
				publish(t, v.Channel(), q.Route.RoutingKey, amqp091.Publishing{})
				return q
			}
			if !o.DeadLetter {
				return declare(kind, amqp091.Table{})
			}
			dead := declare(kind, amqp091.Table{})
			q := declare(kind, amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead.Route.RoutingKey})
			q.DeadLetters = &dead
			return q
		},
		Publish: func(q brokertest.Queue, ms ...*broker.Message) {
			ch := v.Channel()
			for _, m := range ms {
				publish(t, ch, q.Route.RoutingKey, plain(m))
			}
		},
		Take: func(q brokertest.Queue, n int) []*broker.Message {
			ch := v.Channel()
			var ms []*broker.Message
			eventually(t, fmt.Sprintf("%d messages in %s", n, q.Source.Queue), func() bool {
				for len(ms) < n {
					d, ok := get(t, ch, q.Source.Queue)
					if !ok {
						return false
					}
					ms = append(ms, seen(d))
				}
				return true
			})
			return ms
		},
		Exchange: func() string {
			x := name("exchange")
			check(t, ch.ExchangeDeclare(x, "topic", true, false, false, false, nil))
			return x
		},
		Bind: func(exchange string, as broker.Binding) (broker.Binding, func()) {
			as.Destination = name("bound")
			args, _ := plainValue(as.Arguments).(amqp091.Table)
			if as.ToExchange {
				check(t, ch.ExchangeDeclare(as.Destination, "fanout", true, false, false, false, nil))
				check(t, ch.ExchangeBind(as.Destination, as.Key, exchange, false, args))
				return as, func() { check(t, ch.ExchangeUnbind(as.Destination, as.Key, exchange, false, args)) }
			}
			must(ch.QueueDeclare(as.Destination, true, false, false, false, nil))(t)
			check(t, ch.QueueBind(as.Destination, as.Key, exchange, false, args))
			return as, func() { check(t, ch.QueueUnbind(as.Destination, as.Key, exchange, args)) }
		},
		Missing: func() broker.Address { return broker.Address{Queue: name("missing")} },
		Durable: func(at broker.Address) bool {
			var q struct{ Durable bool }
			return v.Get("queues/{vhost}/"+url.PathEscape(at.Queue), &q) && q.Durable
		},
		Nowhere: brokertest.Route{RoutingKey: "nowhere"},
		UserID:  v.Username,
		Knows:   brokertest.Known{Ready: true, Unacked: true, Consumers: true, Oldest: true},
		Consume: func(q brokertest.Queue) func() {
			ch := v.Channel()
			must(ch.Consume(q.Source.Queue, "application", false, false, false, false, nil))(t)
			return func() { check(t, ch.Close()) }
		},
		Cut:     proxy.Cut,
		Hold:    proxy.Hold,
		Release: proxy.Release,
		Block:   func() { cluster.MemoryAlarm(0, true) },
		Unblock: func() { cluster.MemoryAlarm(0, false) },

		WrongPassword: open(proxy.Addr(), v.Username, "wrong"),
		Forbidden:     open(proxy.Addr(), forbidden, password),
		Silent:        open(silent.Addr(), v.Username, v.Password),
	}
}

// hears lets the user of a vhost listen to the event exchange, which is in another.
func hears(v *lab.VHost) {
	v.Do(http.MethodPut, "permissions/%2F/"+v.Username, map[string]string{
		"configure": "^weir: ", "write": "^weir: ", "read": "^(weir: .*|amq.rabbitmq.event)$",
	})
}

// config is a plain connection to a vhost of the lab.
func config(v *lab.VHost) amqp.Config {
	var uris []string
	for _, n := range v.Broker.Nodes {
		uris = append(uris, fmt.Sprintf("amqp://127.0.0.1:%d", n.AMQP))
	}
	return amqp.Config{
		Name: "lab", URIs: uris, VHost: v.Name, Credentials: login(v.Username, v.Password), Version: "test",
		Management: amqp.Management{URIs: v.Management()},
	}
}

// quiet is for benchmarks.
var quiet = slog.New(slog.DiscardHandler)

func newBroker(t *testing.T, c amqp.Config) *amqp.Broker {
	t.Helper()
	b := amqp.New(c, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(b.Close)
	return b
}

func login(username, password string) amqp.Credentials {
	return func() (string, string, error) { return username, password, nil }
}

// publish stores a message, without the driver.
func publish(t *testing.T, ch *amqp091.Channel, queue string, p amqp091.Publishing) {
	t.Helper()
	check(t, ch.Confirm(false))
	confirm := must(ch.PublishWithDeferredConfirm("", queue, true, false, p))(t)
	if acked, err := confirm.WaitContext(within(t)); err != nil || !acked {
		t.Fatalf("not stored in %s: %v", queue, err)
	}
}

// get takes a message, without the driver.
func get(t *testing.T, ch *amqp091.Channel, queue string) (amqp091.Delivery, bool) {
	t.Helper()
	d, ok, err := ch.Get(queue, true)
	check(t, err)
	return d, ok
}

// plain and seen translate without the driver's own tables.
func plain(m *broker.Message) amqp091.Publishing {
	p := m.Properties
	headers, _ := plainValue(m.Headers).(amqp091.Table)
	return amqp091.Publishing{
		Headers: headers, ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, DeliveryMode: p.DeliveryMode,
		Priority: p.Priority, CorrelationId: p.CorrelationID, ReplyTo: p.ReplyTo, Expiration: p.Expiration,
		MessageId: p.MessageID, Timestamp: p.Timestamp, Type: p.Type, UserId: p.UserID, AppId: p.AppID, Body: m.Body,
	}
}

func plainValue(v any) any {
	switch v := v.(type) {
	case broker.Table:
		t := amqp091.Table{}
		for k, e := range v {
			t[k] = plainValue(e)
		}
		return t
	case broker.Array:
		a := []any{}
		for _, e := range v {
			a = append(a, plainValue(e))
		}
		return a
	case broker.Decimal:
		return amqp091.Decimal{Scale: v.Scale, Value: v.Value}
	}
	return v
}

func seen(d amqp091.Delivery) *broker.Message {
	headers, _ := seenValue(d.Headers).(broker.Table)
	for _, count := range []string{"x-delivery-count", "x-acquired-count"} { // of the broker, not of the message
		delete(headers, count)
	}
	return &broker.Message{
		Exchange: d.Exchange, RoutingKey: d.RoutingKey, Headers: headers, Body: d.Body, Redelivered: d.Redelivered,
		Properties: broker.Properties{
			ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode,
			Priority: d.Priority, CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration,
			MessageID: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserID: d.UserId, AppID: d.AppId,
		},
	}
}

func seenValue(v any) any {
	switch v := v.(type) {
	case amqp091.Table:
		t := broker.Table{}
		for k, e := range v {
			t[k] = seenValue(e)
		}
		return t
	case []any:
		a := broker.Array{}
		for _, e := range v {
			a = append(a, seenValue(e))
		}
		return a
	case amqp091.Decimal:
		return broker.Decimal{Scale: v.Scale, Value: v.Value}
	}
	return v
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		check(t, err)
		return value
	}
}
