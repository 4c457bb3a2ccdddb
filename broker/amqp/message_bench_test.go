package amqp

import (
	"maps"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/link"
)

// BenchmarkCross is what a message costs from the delivery to the connection, amqp091-go's encoding included: as it is, as
// a shovel passes it on, with a hop that a federated exchange adds, and with a second one.
func BenchmarkCross(b *testing.B) {
	flat := broker.Table{"customer": int32(7), "region": "eu", "priority-order": true}
	hop := link.Hop{Left: broker.Identity{Cluster: "rabbit@us-1.example.com", VHost: "shop", URI: "amqp://us-1.example.com:5672/shop"},
		Exchange: "orders", At: time.UnixMilli(1_700_000_000_123)}
	for _, c := range []struct {
		name    string
		headers broker.Table
		stamp   func(broker.Table) broker.Table
	}{
		{"as it is", flat, func(h broker.Table) broker.Table { return h }},
		{"first hop", flat, func(h broker.Table) broker.Table { return link.WithHop(h, hop) }},
		{"second hop", link.WithHop(flat, hop), func(h broker.Table) broker.Table { return link.WithHop(h, hop) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			ch := new(farEnd).open(b)
			headers, err := toTable(c.headers)
			check(b, err)
			var content content
			body := make([]byte, 1024)
			b.ReportAllocs()
			for b.Loop() {
				d := &amqp091.Delivery{
					Headers: maps.Clone(headers), ContentType: "application/json", MessageId: "12345", DeliveryMode: amqp091.Persistent,
					Exchange: "orders", RoutingKey: "order.created", Body: body,
				}
				m := incoming(d, "scope")
				m.Headers = c.stamp(m.Headers)
				p, err := content.of(m, frameMax)
				check(b, err)
				_, err = ch.PublishWithDeferredConfirm(m.Exchange, m.RoutingKey, true, false, p)
				check(b, err)
			}
		})
	}
}
