package jetstream_test

import (
	"errors"
	"strings"
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/brokertest"
	"weir/broker/jetstream"
)

// A stream that is deleted and made again under the same name begins to count anew. A session that went on would settle
// messages of the new one by the numbers of the old, and have the destination take them for duplicates.
func TestAStreamThatIsMadeAgainIsAnother(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 1, nil)
	js := s.native(t)
	wire := brokertest.NewProxy(t, strings.TrimPrefix(s.urls()[0], "nats://"))
	b := open(t, jetstream.Config{URIs: []string{"nats://" + wire.Addr()}})
	at := broker.Address{Stream: "S", Consumer: "C"}
	make := func(body string) {
		t.Helper()
		createStream(t, js, natsjs.StreamConfig{ // in memory: the server cannot make files anew while it still removes the old ones
			Name: "S", Subjects: []string{"s"}, Retention: natsjs.WorkQueuePolicy, Storage: natsjs.MemoryStorage,
		})
		createConsumer(t, js, "S", natsjs.ConsumerConfig{Durable: "C"})
		publish(t, js, "s", body)
	}
	make("old")
	src := openSource(t, b, at, broker.SourceOptions{Window: 1}) // full with one message: no request is open that would end
	old := receive(t, src)
	wire.Hold() // word of the end comes when it is over
	if err := js.DeleteStream(within(t), "S"); err != nil {
		t.Fatal(err)
	}
	make("new")
	wire.Release()
	if _, err := src.Receive(within(t)); !errors.Is(err, broker.ErrLost) {
		t.Errorf("got %v, want a lost session", err)
	}
	if err := src.Ack(old); !errors.Is(err, broker.ErrLost) {
		t.Errorf("ack of a message of the old stream: got %v, want a lost session", err)
	}
	src.Close()
	src = openSource(t, b, at, broker.SourceOptions{Window: 1})
	if m := receive(t, src); string(m.Body) != "new" || m.Origin.Scope == old.Origin.Scope {
		t.Errorf("got %s of %s, want the message of the new stream in a scope of its own", m.Body, m.Origin.Scope)
	}
}
