package jetstream_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

// A consumer that lets no request be as large as the next message would stand still for ever: the session ends and says so.
func TestAMessageLargerThanRequestsMayBe(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}})
	createConsumer(t, js, "S", natsjs.ConsumerConfig{Durable: "C", MaxRequestMaxBytes: 500})
	publish(t, js, "s", "small", strings.Repeat("x", 1000))
	src := openSource(t, b, broker.Address{Stream: "S", Consumer: "C"}, broker.SourceOptions{})
	if err := src.Ack(receive(t, src)); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Receive(within(t)); !errors.Is(err, broker.ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
}

// Bodies larger than all that a session may hold arrive, and do not stay held together.
func TestLargeMessages(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}})
	const all = 12
	large := bytes.Repeat([]byte("x"), 8<<20)
	for i := range all {
		publish(t, js, "s", fmt.Sprint("small", i))
		if _, err := js.Publish(within(t), "s", large); err != nil {
			t.Fatal(err)
		}
	}
	src := openSource(t, b, broker.Address{Stream: "S", Consumer: "C"}, broker.SourceOptions{Window: 10_000})
	for i := range all {
		if m := receive(t, src); string(m.Body) != fmt.Sprint("small", i) {
			t.Fatalf("got %.10s, want small message %d", m.Body, i)
		}
		m := receive(t, src)
		if !bytes.Equal(m.Body, large) {
			t.Fatalf("large message %d is not whole", i)
		}
		eventually(t, "room: half of what is held has 8 MiB, want about 32 MiB together", func() bool { // acks may be on their way
			info, err := js.Consumer(within(t), "S", "C")
			return err == nil && info.CachedInfo().NumAckPending <= 10
		})
		if err := src.Ack(m); err != nil {
			t.Fatal(err)
		}
	}
}
