package jetstream_test

import (
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

// What is held for longer than the ack wait is not delivered again, received or not.
func TestHeldMessagesAreNotDeliveredAgain(t *testing.T) {
	t.Parallel()
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}})
	const ackWait = 6 * time.Second // half of it is how late weir may be with word that it works on a message
	createConsumer(t, js, "S", natsjs.ConsumerConfig{Durable: "C", AckWait: ackWait})
	publish(t, js, "s", "1", "2", "3", "4")
	src := openSource(t, b, broker.Address{Stream: "S", Consumer: "C"}, broker.SourceOptions{Window: 4})
	first := receive(t, src)
	consumer, err := js.Consumer(within(t), "S", "C")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * ackWait); time.Now().Before(end); {
		batch, err := consumer.Fetch(4, natsjs.FetchMaxWait(100*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		for m := range batch.Messages() {
			t.Fatalf("%s was delivered to somebody else", m.Data())
		}
	}
	last := first
	for range 3 {
		last = receive(t, src)
		if last.Redelivered {
			t.Errorf("%s was delivered again", last.Body)
		}
	}
	if err := src.Ack(last); err != nil {
		t.Fatal(err)
	}
	eventually(t, "end of all acks", func() bool {
		info, err := consumer.Info(within(t))
		return err == nil && info.NumAckPending == 0 && info.AckFloor.Stream == 4
	})
}

// What is rejected is terminated, and what is returned comes again at once.
func TestSettling(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}})
	advisories, err := js.Conn().SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.S.C")
	if err != nil {
		t.Fatal(err)
	}
	src := openSource(t, b, broker.Address{Stream: "S", Consumer: "C"}, broker.SourceOptions{Window: 2})
	publish(t, js, "s", "1", "2")
	one, two := receive(t, src), receive(t, src)
	if err := src.Settle(one, broker.Rejected); err != nil {
		t.Fatal(err)
	}
	if _, err := advisories.NextMsgWithContext(within(t)); err != nil {
		t.Errorf("no advisory of the rejected message: %v", err)
	}
	if err := src.Settle(two, broker.Returned); err != nil {
		t.Fatal(err)
	}
	if again := receive(t, src); string(again.Body) != "2" || again.Origin.Returns != 1 || again.Origin.Sequence != 2 {
		t.Errorf("got %s, %+v, want message 2 after one return", again.Body, again.Origin)
	}
	if err := src.Ack(two); err == nil {
		t.Error("acked what is settled")
	}
}
