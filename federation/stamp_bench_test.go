package federation

import (
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// BenchmarkStamp is what a hop costs before the message goes to the driver.
func BenchmarkStamp(b *testing.B) {
	us := broker.Identity{Cluster: "rabbit@us-1.example.com", VHost: "shop", URI: "amqp://us-1.example.com:5672/shop"}
	eu := broker.Identity{Cluster: "rabbit@eu-1.example.com", VHost: "shop", URI: "amqp://eu-1.example.com:5672/shop"}
	fresh := &broker.Message{
		Exchange: "orders", RoutingKey: "order.created", Body: make([]byte, 1024),
		Properties: broker.Properties{ContentType: "application/json", MessageID: "12345", DeliveryMode: 2},
		Headers:    broker.Table{"customer": int32(7), "region": "eu", "priority-order": true},
	}
	crossed := *fresh
	crossed.Headers = link.WithHop(fresh.Headers, link.Hop{Left: broker.Identity{Cluster: "ap", VHost: "/", URI: "amqp://ap"}, Exchange: "x", At: time.Now()})
	exchange := stamp{hop: link.Hop{Left: us, Exchange: "orders"}}
	queue := queueStamp{upstream: us.URI, downstream: eu.URI, upstreamQueue: "work", queue: "work"}
	for name, m := range map[string]*broker.Message{"first hop": fresh, "second hop": &crossed} {
		b.Run("exchange/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				exchange.apply(m, time.Now())
			}
		})
		b.Run("queue/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				queue.apply(m, time.Now())
			}
		})
	}
}
