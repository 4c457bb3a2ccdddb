package jetstream_test

import (
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

// Messages that a stream has dropped, by age or size, before they were delivered are counted.
func TestExpired(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}, MaxMsgs: 3})
	at := broker.Address{Stream: "S", Consumer: "C"}
	publish(t, js, "s", "1")
	src := openSource(t, b, at, broker.SourceOptions{})
	if err := src.Ack(receive(t, src)); err != nil {
		t.Fatal(err)
	}
	src.Close()
	publish(t, js, "s", "2", "3", "4", "5", "6") // 2 and 3 go
	src = openSource(t, b, at, broker.SourceOptions{Window: 1})
	if got := string(receive(t, src).Body); got != "4" {
		t.Fatalf("got %s, want 4", got)
	}
	if n := src.(*jetstream.Source).Expired(); n != 2 {
		t.Errorf("%d expired, want 2 that went while nobody received", n)
	}
	publish(t, js, "s", "7", "8", "9") // 5 and 6 go
	if err := src.(broker.Resizer).Resize(within(t), 10); err != nil {
		t.Fatal(err)
	}
	if got := string(receive(t, src).Body); got != "7" {
		t.Fatalf("got %s, want 7", got)
	}
	if n := src.(*jetstream.Source).Expired(); n != 4 {
		t.Errorf("%d expired, want 4 with those that went while it waited", n)
	}
}

// What a stream dropped, or a consumer passed over, before the consumer was made has not expired for it.
func TestWhatIsOlderThanTheConsumerHasNotExpired(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}, MaxMsgs: 3})
	publish(t, js, "s", "1", "2", "3", "4", "5")
	for offset, want := range map[string]string{"first": "3", "last": "5"} {
		src := openSource(t, b, broker.Address{Stream: "S", Consumer: offset}, broker.SourceOptions{ConsumerArgs: broker.Table{"x-stream-offset": offset}})
		if got := string(receive(t, src).Body); got != want {
			t.Errorf("offset %s: got %s, want %s", offset, got, want)
		}
		if n := src.(*jetstream.Source).Expired(); n != 0 {
			t.Errorf("offset %s: %d expired, want none", offset, n)
		}
	}
}
