package shovel_test

import (
	"maps"
	"reflect"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
)

// sent is a message as it arrives in us, by the only shovel.
func (w *world) sent(m *broker.Message) *broker.Message {
	w.Helper()
	w.publish(w.eu, m)
	w.within(time.Minute, "it is there", func() bool { return depth(w.us, "orders") > 0 })
	return w.us.Drain("orders")[0]
}

func TestForwardHeadersAreThoseOfRabbitMQ(t *testing.T) {
	for name, c := range map[string]struct {
		shovel string
		want   broker.Table
	}{
		"queue to exchange": {
			"source: {queue: orders}\n    destinations: [{broker: us, exchange: inbox, routing-key: k}]",
			broker.Table{"src-queue": "orders", "dest-exchange": "inbox", "dest-exchange-key": "k"},
		},
		"queue to queue": {
			"source: {queue: orders}\n    destinations: [{broker: us, queue: orders}]",
			broker.Table{"src-queue": "orders", "dest-queue": "orders"},
		},
		"exchange to exchange": {
			`source: {exchange: shop, routing-key: "#"}` + "\n    destinations: [{broker: us, exchange: inbox}]",
			broker.Table{"src-exchange": "shop", "src-exchange-key": "#", "dest-exchange": "inbox"},
		},
		"to an empty key": {
			"source: {queue: orders}\n" + `    destinations: [{broker: us, exchange: inbox, routing-key: ""}]`,
			broker.Table{"src-queue": "orders", "dest-exchange": "inbox", "dest-exchange-key": ""},
		},
		"to where it was": {
			"source: {queue: orders}\n    destinations: [{broker: us}]",
			broker.Table{"src-queue": "orders"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				for _, b := range []*memory.Broker{w.eu, w.us} {
					b.DeclareExchange("shop", memory.Topic)
					b.Bind("orders", "shop", "#")
				}
				w.us.DeclareExchange("inbox", memory.Fanout)
				w.us.Bind("orders", "inbox", "")
				w.run("  x:\n    " + c.shovel + "\n    add-forward-headers: true\n")
				w.after(time.Second)
				got := w.sent(&broker.Message{Exchange: "shop", RoutingKey: "order.created"}).Headers["x-shovelled"]
				want := broker.Table{
					"shovelled-by": "eu", "shovel-type": "dynamic", "shovel-name": "x", "shovel-vhost": "/",
					"src-uri": "memory://eu/%2F", "dest-uri": "memory://us/%2F",
				}
				maps.Copy(want, c.want)
				if !reflect.DeepEqual(got, broker.Array{want}) {
					t.Errorf("x-shovelled is\n%v, want\n%v", got, broker.Array{want})
				}
			})
		})
	}
}

func TestNewestShovelStandsFirst(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("  x: {source: {queue: orders}, destinations: [{broker: us, queue: orders}], add-forward-headers: true}\n")
		before := broker.Table{"shovel-name": "plugin"}
		m := w.sent(&broker.Message{RoutingKey: "orders", Headers: broker.Table{"x-shovelled": broker.Array{before}}})
		list, _ := m.Headers["x-shovelled"].(broker.Array)
		if len(list) != 2 || list[0].(broker.Table)["shovel-name"] != "x" || !reflect.DeepEqual(list[1], before) {
			t.Errorf("x-shovelled is %v", list)
		}
	})
}

func TestTimestampHeaderIsInSeconds(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("  x: {source: {queue: orders}, destinations: [{broker: us, queue: orders, add-timestamp-header: true}]}\n")
		got := w.sent(&broker.Message{RoutingKey: "orders"}).Headers["x-shovelled-timestamp"]
		if at, ok := got.(int64); !ok || time.Since(time.Unix(at, 0)) > time.Minute || time.Since(time.Unix(at, 0)) < 0 {
			t.Errorf("x-shovelled-timestamp is %T %v, want seconds as int64", got, got)
		}
	})
}

func TestPublishPropertiesReplaceThoseOfTheMessage(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(`
  x:
    source: {queue: orders}
    destinations:
      - broker: us
        queue: orders
        publish-properties:
          content_type: application/json
          content_encoding: gzip
          delivery_mode: 2
          priority: 5
          correlation_id: c1
          reply_to: replies
          expiration: "60000"
          message_id: m2
          timestamp: 1000000000
          type: order
          user_id: gateway
          app_id: weir
`)
		got := w.sent(&broker.Message{RoutingKey: "orders", Properties: broker.Properties{UserID: "shop", MessageID: "m1"}}).Properties
		want := broker.Properties{
			ContentType: "application/json", ContentEncoding: "gzip", DeliveryMode: 2, Priority: 5, CorrelationID: "c1",
			ReplyTo: "replies", Expiration: "60000", MessageID: "m2", Timestamp: time.Unix(1_000_000_000, 0), Type: "order",
			UserID: "gateway", AppID: "weir",
		}
		if !got.Timestamp.Equal(want.Timestamp) {
			t.Errorf("timestamp %v", got.Timestamp)
		}
		got.Timestamp = want.Timestamp
		if got != want {
			t.Errorf("properties\n%+v, want\n%+v", got, want)
		}
	})
}

func TestUserIDCrossesOnlyIfItIsTrusted(t *testing.T) {
	for trust, want := range map[string]string{"false": "", "true": "shop"} {
		inWorld(t, func(w *world) {
			w.run("  x: {source: {queue: orders}, destinations: [{broker: us, queue: orders}], trust-user-id: " + trust + "}\n")
			m := w.sent(&broker.Message{RoutingKey: "orders", Properties: broker.Properties{UserID: "shop", AppID: "till"}})
			if m.Properties.UserID != want || m.Properties.AppID != "till" {
				t.Errorf("trust-user-id: %s: properties %+v", trust, m.Properties)
			}
		})
	}
}

func TestHopIsRecordedAsTheFederationPluginDoes(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		entry  broker.Table
	}{
		"queue":    {"queue: orders", broker.Table{"queue": "orders"}},
		"exchange": {"exchange: shop", broker.Table{"exchange": "shop"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.eu.DeclareExchange("shop", memory.Fanout)
				w.eu.Bind("orders", "shop", "")
				w.run("  x: {source: {" + c.source + "}, destinations: [{broker: us, queue: orders}], max-hops: 3}\n")
				w.after(time.Second)
				earlier := broker.Table{"cluster-name": "ap", "vhost": "/", "uri": "amqp://ap", "redelivered": false}
				before := time.Now().UnixMilli()
				m := w.sent(&broker.Message{Exchange: "shop", Headers: broker.Table{"x-received-from": broker.Array{earlier}}})
				want := broker.Table{"cluster-name": "eu", "vhost": "/", "uri": "memory://eu/%2F", "redelivered": false}
				maps.Copy(want, c.entry)
				// Beside the plugin's own: when it left, from which the next link knows how long it waited.
				hops, _ := m.Headers["x-received-from"].(broker.Array)
				left, _ := hops[0].(broker.Table)["timestamp_in_ms"].(int64)
				if left < before || left > time.Now().UnixMilli() {
					t.Errorf("it left at %d, between %d and now", left, before)
				}
				want["timestamp_in_ms"] = left
				if got := m.Headers["x-received-from"]; !reflect.DeepEqual(got, broker.Array{want, earlier}) {
					t.Errorf("x-received-from is\n%v, want\n%v", got, broker.Array{want, earlier})
				}
			})
		})
	}
}

func TestShovelWithoutStampsChangesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("  x: {source: {queue: orders}, destinations: [{broker: us, queue: orders}]}\n")
		headers := broker.Table{"n": int8(1), "list": broker.Array{broker.Table{"a": nil}}, "x-received-from": "no list"}
		properties := broker.Properties{ContentType: "text/plain", Priority: 3, Timestamp: time.Unix(1, 0)}
		m := w.sent(&broker.Message{RoutingKey: "orders", Headers: headers, Properties: properties, Body: []byte{0, 255}})
		if !reflect.DeepEqual(m.Headers, headers) || m.Properties != properties || string(m.Body) != "\x00\xff" {
			t.Errorf("arrived as %+v", m)
		}
	})
}

// What is sent to one place and then to another bears the stamp of the way it really took.
func TestMessageSentAgainElsewhereIsStampedOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		nested := broker.Array{broker.Table{"cluster-name": "far", "vhost": "/"}}
		w.us.HoldConfirms()
		w.run(`
  x:
    source: {queue: orders}
    destinations: [{broker: us, queue: orders}, {broker: ap, queue: orders, add-timestamp-header: true}]
    max-hops: 2
    add-forward-headers: true
`)
		w.publish(w.eu, &broker.Message{RoutingKey: "orders", Headers: broker.Table{"x-received-from": nested}})
		w.within(time.Second, "it is in us, not confirmed", func() bool { return depth(w.us, "orders") == 1 })
		w.us.Down(errRefused)
		w.us.Cut()
		w.within(time.Minute, "it is in ap", func() bool { return depth(w.ap, "orders") == 1 })
		m := w.ap.Messages("orders")[0]
		shovelled, _ := m.Headers["x-shovelled"].(broker.Array)
		if len(shovelled) != 1 || shovelled[0].(broker.Table)["dest-uri"] != "memory://ap/%2F" || hopsOf(m) != 2 {
			t.Errorf("headers %v", m.Headers)
		}
		first := w.us.Messages("orders")[0]
		if _, ok := first.Headers["x-shovelled-timestamp"]; ok || hopsOf(first) != 2 || len(nested) != 1 {
			t.Errorf("in us: headers %v", first.Headers)
		}
	})
}
