package amqp_test

import (
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/amqp"
	"weir/tests/lab"
)

// Ensure a consumer of a classic queue on RabbitMQ 3 ends when another mirror becomes the leader, whoever tells what the queue
// is; and that other queues, which refuse to be asked for that, can be consumed from all the same.
func TestConsumerEndsOnFailover(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "3.10").VHost(t)
	ch := v.Channel()
	want := map[string]bool{}
	for name, management := range map[string]amqp.Management{"known": {URIs: v.Management()}, "unknown": {}} {
		c := config(v)
		c.Management = management
		b := newBroker(t, c)
		for kind, args := range map[string]amqp091.Table{
			"classic": nil,
			"single":  {"x-single-active-consumer": true},
			"quorum":  {"x-queue-type": "quorum"},
			"stream":  {"x-queue-type": "stream"},
		} {
			queue := name + " " + kind
			want[queue] = kind == "classic" || kind == "single"
			must(ch.QueueDeclare(queue, true, false, false, false, args))(t)
			publish(t, ch, queue, amqp091.Publishing{})
			o := broker.SourceOptions{Link: queue, Site: "test", Window: 10}
			if kind == "stream" {
				o.ConsumerArgs = broker.Table{"x-stream-offset": "first"}
			}
			source := must(b.OpenSource(t.Context(), broker.Address{Queue: queue}, o))(t)
			t.Cleanup(func() { _ = source.Close() })
			check(t, source.Ack(receive(t, source)))
		}
	}
	ends := map[string]bool{}
	eventually(t, "each consumer is listed", func() bool {
		var consumers []struct {
			Queue     struct{ Name string }
			Arguments map[string]any
		}
		v.Get("consumers/{vhost}", &consumers)
		for _, c := range consumers {
			ends[c.Queue.Name], _ = c.Arguments["x-cancel-on-ha-failover"].(bool)
		}
		return len(ends) >= len(want)
	})
	for queue := range want {
		if ends[queue] != want[queue] {
			t.Errorf("%s: ends on failover: %v, want %v", queue, ends[queue], want[queue])
		}
	}
}
