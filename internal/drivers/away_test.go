package drivers_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"weir/broker"
	"weir/configs"
	"weir/internal/brokers"
	"weir/internal/drivers"
)

// An operator reads what happened at which node, once: the link adds what it is called.
func TestSaysWhyABrokerIsAway(t *testing.T) {
	const refused = "dial tcp 127.0.0.1:1: connect: connection refused"
	for _, test := range []struct {
		declared configs.Broker
		want     string
	}{
		{configs.Broker{Type: configs.RabbitMQ, URIs: []string{"amqp://127.0.0.1:1"}}, "connect to amqp://127.0.0.1:1: " + refused},
		{configs.Broker{Type: configs.RabbitMQ, URIs: []string{"amqp://127.0.0.1:1", "amqp://127.0.0.1:1"}},
			"connect to amqp://127.0.0.1:1: " + refused + "; connect to amqp://127.0.0.1:1: " + refused},
		{configs.Broker{Type: configs.NATS, URIs: []string{"nats://127.0.0.1:1"}}, "connect to nats://127.0.0.1:1: " + refused},
	} {
		test.declared.Name = "eu"
		b, end, err := drivers.Open("test")(t.Context(), brokers.Declared{Broker: test.declared}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		at := broker.Address{Queue: "orders"}
		for what, err := range map[string]error{
			"OpenSource": second(b.OpenSource(ctx, at, broker.SourceOptions{Window: 1})),
			"OpenSink":   second(b.OpenSink(ctx, at, broker.SinkOptions{})),
			"Depth":      second(b.Depth(ctx, at)),
			"IdentityOf": second(broker.IdentityOf(ctx, b)),
		} {
			if err == nil || err.Error() != test.want {
				t.Errorf("%s of %s: %v\nwant %s", what, test.declared.Type, err, test.want)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }
