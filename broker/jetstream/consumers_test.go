package jetstream_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

// A stream and a consumer in NATS' words: the consumer is made where it is missing, the stream is not.
func TestConsumersOfExistingStreams(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{ConfirmTimeout: time.Minute})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	publish(t, js, "s.eu", "1")
	publish(t, js, "s.us", "2")
	publish(t, js, "s.eu", "3")

	if _, err := b.OpenSource(within(t), broker.Address{Stream: "NONE", Consumer: "C"}, broker.SourceOptions{Window: 1}); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("a stream that is missing: got %v, want ErrNotFound", err)
	}
	if _, err := b.OpenSource(within(t), broker.Address{Stream: "S", Consumer: "C"}, broker.SourceOptions{Window: 1, Predeclared: true}); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("a consumer that must exist: got %v, want ErrNotFound", err)
	}
	src := openSource(t, b, broker.Address{Stream: "S", Consumer: "C", Subject: "s.eu"}, broker.SourceOptions{})
	one, three := receive(t, src), receive(t, src)
	if string(one.Body) != "1" || string(three.Body) != "3" || one.Subject != "s.eu" || one.RoutingKey != "s.eu" || one.Exchange != "" {
		t.Errorf("got %+v and %+v, want messages 1 and 3 with their subject as the key", one, three)
	}
	if one.Origin.Sequence != 1 || three.Origin.Sequence != 3 || one.Origin.Stored.IsZero() {
		t.Errorf("got origins %+v and %+v, want sequences 1 and 3", one.Origin, three.Origin)
	}
	made, err := js.Consumer(within(t), "S", "C")
	if err != nil {
		t.Fatal(err)
	}
	c := made.CachedInfo().Config
	if c.AckPolicy != natsjs.AckExplicitPolicy || c.AckWait < 2*time.Minute || c.MaxAckPending < 10_000 || c.MaxDeliver != -1 {
		t.Errorf("made %+v, want explicit acks, an ack wait of two confirm timeouts, room for any window, no end of deliveries", c)
	}
}

// The consumer that a link makes for itself follows its subject; one that is named belongs to somebody and is never changed.
func TestAChangedSubjectChangesTheFilter(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	for _, consumer := range []string{"", "C"} { // the first one while there is no message yet
		want := map[string]string{"": "us", "C": "eu"}[consumer]
		for _, subject := range []string{"s.eu", "s.us"} {
			at := broker.Address{Stream: "S", Consumer: consumer, Subject: subject}
			src := openSource(t, b, at, broker.SourceOptions{Site: "eu", Link: "link"})
			if subject == "s.us" {
				publish(t, js, "s.eu", "eu")
				publish(t, js, "s.us", "us")
				if got := receive(t, src); string(got.Body) != want {
					t.Errorf("consumer %q: got %s, want %s", consumer, got.Body, want)
				}
			}
			src.Close()
		}
	}
}

// Where a new consumer begins is said as for a stream of RabbitMQ.
func TestStreamOffset(t *testing.T) {
	t.Parallel()
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}})
	publish(t, js, "s", "1", "2")
	<-time.After(1100 * time.Millisecond) // x-stream-offset has whole seconds
	now := time.Now().Truncate(time.Second)
	publish(t, js, "s", "3", "4")
	for _, c := range []struct {
		offset any
		want   string
	}{
		{nil, "1"}, {"first", "1"}, {"last", "4"}, {int64(2), "2"}, {int32(0), "1"}, {now, "3"},
		{"next", "5"}, // at the end: it publishes one more
	} {
		offset, want := c.offset, c.want
		var args broker.Table
		if offset != nil {
			args = broker.Table{"x-stream-offset": offset}
		}
		src := openSource(t, b, broker.Address{Stream: "S", Consumer: fresh("c")}, broker.SourceOptions{ConsumerArgs: args})
		if want == "5" {
			publish(t, js, "s", "5")
		}
		if got := string(receive(t, src).Body); got != want {
			t.Errorf("offset %v: the first message is %s, want %s", offset, got, want)
		}
	}
	for _, bad := range []any{"1h", int64(-1), true} {
		_, err := b.OpenSource(within(t), broker.Address{Stream: "S", Consumer: fresh("c")}, broker.SourceOptions{Window: 1, ConsumerArgs: broker.Table{"x-stream-offset": bad}})
		if !errors.Is(err, broker.ErrUnsupported) {
			t.Errorf("offset %v: got %v, want ErrUnsupported", bad, err)
		}
	}
}

// A consumer that cannot keep the contract is refused with the reason.
func TestUnusableConsumers(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}})
	for name, c := range map[string]natsjs.ConsumerConfig{
		"all":    {AckPolicy: natsjs.AckAllPolicy},
		"bare":   {HeadersOnly: true},
		"pinned": {PriorityPolicy: natsjs.PriorityPolicyPinned, PriorityGroups: []string{"g"}, PinnedTTL: time.Minute},
	} {
		c.Durable = name
		createConsumer(t, js, "S", c)
	}
	none := natsjs.ConsumerConfig{Durable: "none", AckPolicy: natsjs.AckNonePolicy}
	if _, err := js.CreateConsumer(within(t), "S", none); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateOrUpdatePushConsumer(within(t), "S", natsjs.ConsumerConfig{Durable: "push", DeliverSubject: "d"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"all", "bare", "none", "pinned", "push"} {
		at := broker.Address{Stream: "S", Consumer: name}
		if _, err := b.OpenSource(within(t), at, broker.SourceOptions{Window: 1}); !errors.Is(err, broker.ErrUnsupported) {
			t.Errorf("consumer %s: got %v, want ErrUnsupported", name, err)
		}
		if err := b.Check(within(t), at, broker.AsSource, true); !errors.Is(err, broker.ErrUnsupported) {
			t.Errorf("check of consumer %s: got %v, want ErrUnsupported", name, err)
		}
	}
}

// What an existing consumer is set to, and cannot be seen in what comes, is told when a source opens.
func TestWhatAConsumerDoesOtherwiseIsTold(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	var told strings.Builder
	b := jetstream.New(jetstream.Config{Name: "test", URIs: s.urls()}, slog.New(slog.NewTextHandler(&told, nil)))
	t.Cleanup(b.Close)
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	createConsumer(t, js, "S", natsjs.ConsumerConfig{Durable: "C", FilterSubject: "s.eu", MaxDeliver: 3, MaxAckPending: 7})
	openSource(t, b, broker.Address{Stream: "S", Consumer: "C", Subject: "s.us"}, broker.SourceOptions{Window: 10}).Close()
	b.Close() // nothing is told any more
	for _, want := range []string{"max-deliver=3", "window=7 wanted=10", "filters=[s.eu] subject=s.us"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, &told)
		}
	}
}

// A consumer that knows priorities serves others first where the source has a negative one, as in RabbitMQ.
func TestOthersComeFirst(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}, Retention: natsjs.WorkQueuePolicy})
	theirs := createConsumer(t, js, "S", natsjs.ConsumerConfig{Durable: "C", PriorityPolicy: natsjs.PriorityPolicyPrioritized, PriorityGroups: []string{"g"}})
	src := openSource(t, b, broker.Address{Stream: "S", Consumer: "C"}, broker.SourceOptions{Window: 1, ConsumerArgs: broker.Table{"x-priority": int64(-1)}})
	eventually(t, "pull", func() bool {
		info, err := theirs.Info(within(t))
		return err == nil && info.NumWaiting > 0
	})
	batch, err := theirs.Fetch(1, natsjs.FetchPriorityGroup("g"), natsjs.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "pull of others", func() bool {
		info, err := theirs.Info(within(t))
		return err == nil && info.NumWaiting > 1
	})
	publish(t, js, "s", "first", "second")
	if m := <-batch.Messages(); m == nil || string(m.Data()) != "first" {
		t.Errorf("others get %v, want the first", m)
	}
	if m := receive(t, src); string(m.Body) != "second" {
		t.Errorf("the source gets %s, want the second", m.Body)
	}
}

// What an existing consumer allows is kept to, and everything arrives.
func TestExistingLimitsHold(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}})
	createConsumer(t, js, "S", natsjs.ConsumerConfig{
		Durable: "C", MaxAckPending: 7, MaxRequestBatch: 2, MaxRequestExpires: 200 * time.Millisecond, MaxRequestMaxBytes: 3000,
		PriorityPolicy: natsjs.PriorityPolicyOverflow, PriorityGroups: []string{"g"},
	})
	const all = 50
	for i := range all {
		publish(t, js, "s", fmt.Sprint(i, string(bytes.Repeat([]byte("x"), 1000))))
	}
	src := openSource(t, b, broker.Address{Stream: "S", Consumer: "C"}, broker.SourceOptions{Window: 1000})
	for i := range all {
		m := receive(t, src)
		if !bytes.HasPrefix(m.Body, fmt.Append(nil, i, "x")) {
			t.Fatalf("message %d is %.10s", i, m.Body)
		}
		if i%7 == 6 || i == all-1 {
			if err := src.Ack(m); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A consumer, or a stream, that is deleted ends the session with the reason.
func TestDeletedConsumer(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	for _, remove := range []func() error{
		func() error { return js.DeleteConsumer(within(t), "S", "C") },
		func() error { return js.DeleteStream(within(t), "S") },
	} {
		if _, err := js.CreateOrUpdateStream(within(t), natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
			t.Fatal(err)
		}
		src := openSource(t, b, broker.Address{Stream: "S", Consumer: "C"}, broker.SourceOptions{})
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		if _, err := src.Receive(within(t)); !errors.Is(err, broker.ErrNotFound) || !errors.Is(err, broker.ErrLost) {
			t.Errorf("got %v, want a lost session because it is not found", err)
		}
	}
}
