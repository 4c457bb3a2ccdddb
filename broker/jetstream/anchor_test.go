package jetstream_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

// Whoever receives from an exchange has its anchor run: it changes what is bound, and a message of that moment must not be lost.
func TestASourceOfAnExchangeHasItAnchored(t *testing.T) {
	s := startSystem(t, 1, nil)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	openSource(t, b, broker.Address{Exchange: "x"}, broker.SourceOptions{})
	if _, err := s.native(t).Consumer(within(t), "p_x_x", "weir-anchor"); err != nil {
		t.Error(err)
	}
}

// An exchange of weir's keeps each message for a while, whoever wants it, and not for ever.
func TestAnchor(t *testing.T) {
	t.Parallel()
	js, b := oneServer(t, jetstream.Config{SubjectPrefix: "p"})
	openSink(t, b, broker.Address{Exchange: "x"}, broker.SinkOptions{})
	begin := time.Now()
	for range 2500 { // more than one batch
		if _, err := js.PublishAsync("p.x.x.nobody", []byte("native")); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "end of publishing", js.PublishAsyncComplete())
	stream, err := js.Stream(within(t), "p_x_x")
	if err != nil {
		t.Fatal(err)
	}
	stored := stream.CachedInfo().State
	if stored.Msgs != 2500 && time.Since(begin) < 4*time.Second {
		t.Fatalf("%d messages kept, want 2500", stored.Msgs)
	}
	eventually(t, "end of what nobody wants", func() bool { return messages(t, js, "p_x_x") == 0 })
	if age := time.Since(stored.LastTime); age < 4*time.Second {
		t.Errorf("gone after %v, want them kept for about 5 s", age)
	}
}

// Streams that are not weir's get no anchor.
func TestForeignStreamsAreLeftAlone(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	config := natsjs.StreamConfig{Name: "p_x_x", Subjects: []string{"p.x.x.>"}, Retention: natsjs.InterestPolicy, MaxMsgs: 77}
	before := createStream(t, js, config).CachedInfo().Config
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	openSink(t, b, broker.Address{Exchange: "x"}, broker.SinkOptions{})
	after, err := js.Stream(within(t), "p_x_x")
	if err != nil {
		t.Fatal(err)
	}
	info := after.CachedInfo()
	if fmt.Sprint(info.Config) != fmt.Sprint(before) || info.State.Consumers != 0 {
		t.Errorf("the stream has changed to %+v with %d consumers", info.Config, info.State.Consumers)
	}
}

// Replicas of an interest stream decide by themselves whether anybody wants a message. Around a change of bindings some
// keep it and some do not; none that was confirmed may be lost, whichever replica is asked.
func TestAPublishThatRacesABindingIsNotLost(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 3, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p", Streams: jetstream.Streams{Replicas: 3}})
	sink := openSink(t, b, broker.Address{Exchange: "x"}, broker.SinkOptions{})
	const all = 40
	var filters []string
	for i := range all {
		key := fmt.Sprint("k", i)
		filters = append(filters, "p.x.x."+key)
		createConsumer(t, js, "p_x_x", natsjs.ConsumerConfig{Durable: "c", FilterSubjects: filters, AckWait: ackWait})
		if err := answer(t, send(t, sink, &broker.Message{RoutingKey: key, Body: []byte(key)})); err != nil {
			t.Fatalf("message %d, whose binding has been made: %v", i, err)
		}
	}
	leader := ""
	asked(t, func(ctx context.Context) error {
		consumer, err := js.Consumer(ctx, "p_x_x", "c")
		if err == nil {
			leader = consumer.CachedInfo().Cluster.Leader
		}
		return err
	})
	for i, n := range s.servers {
		if n.Name() == leader {
			s.stop(i)
			break
		}
	}
	got := map[string]bool{}
	eventually(t, "leader that delivers", func() bool {
		c, err := js.Consumer(soon(t), "p_x_x", "c")
		if err != nil {
			return false
		}
		batch, err := c.Fetch(all, natsjs.FetchMaxWait(time.Second))
		if err != nil {
			return false
		}
		for m := range batch.Messages() {
			got[string(m.Data())] = true
			_ = m.Ack()
		}
		return len(got) == all
	})
}
