package jetstream_test

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/embedded"
	"weir/broker/jetstream"
)

// A message larger than a request with its share of the memory arrives, also where several such requests meet it: no
// limit of the consumer was passed.
func TestAMessageLargerThanAShareOfTheMemory(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 1, func(o *server.Options) { o.MaxPayload = embedded.MaxPayload })
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}})
	src := openSource(t, b, broker.Address{Stream: "S", Consumer: "C"}, broker.SourceOptions{Window: 64})
	publish(t, js, "s", "small")
	if err := src.Ack(receive(t, src)); err != nil {
		t.Fatal(err)
	}
	largest := make([]byte, embedded.MaxPayload)
	for range 2 {
		if _, err := js.Publish(within(t), "s", largest); err != nil {
			t.Fatal(err)
		}
		m := receive(t, src)
		if len(m.Body) != len(largest) {
			t.Fatalf("%d bytes arrive, want %d", len(m.Body), len(largest))
		}
		if err := src.Ack(m); err != nil {
			t.Fatal(err)
		}
	}
}
