package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

func openSink(t testing.TB, b *jetstream.Broker, at broker.Address, o broker.SinkOptions) broker.Sink {
	t.Helper()
	s, err := b.OpenSink(within(t), at, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func send(t testing.TB, s broker.Sink, m *broker.Message) broker.Confirm {
	t.Helper()
	c, err := s.Send(within(t), m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer waits for what became of a message.
func answer(t testing.TB, c broker.Confirm) error {
	t.Helper()
	await(t, "answer", c.Done())
	return c.Err()
}

func createStream(t testing.TB, js natsjs.JetStream, c natsjs.StreamConfig) natsjs.Stream {
	t.Helper()
	var s natsjs.Stream
	asked(t, func(ctx context.Context) (err error) {
		s, err = js.CreateStream(ctx, c)
		return err
	})
	return s
}

func createConsumer(t testing.TB, js natsjs.JetStream, stream string, c natsjs.ConsumerConfig) natsjs.Consumer {
	t.Helper()
	if c.AckPolicy == 0 {
		c.AckPolicy = natsjs.AckExplicitPolicy
	}
	var made natsjs.Consumer
	asked(t, func(ctx context.Context) (err error) {
		made, err = js.CreateOrUpdateConsumer(ctx, stream, c)
		return err
	})
	return made
}

func messages(t testing.TB, js natsjs.JetStream, stream string) uint64 {
	t.Helper()
	s, err := js.Stream(within(t), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// JetStream stores, or forgets, whatever a stream captures. A message is routable where somebody gets it.
func TestRoutable(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
	for _, c := range []natsjs.StreamConfig{
		{Name: "LOG", Subjects: []string{"log.>"}},
		{Name: "WORK", Subjects: []string{"work.>"}, Retention: natsjs.WorkQueuePolicy},
		{Name: "NEWS", Subjects: []string{"news.>"}, Retention: natsjs.InterestPolicy},
		{Name: "QUIET", Subjects: []string{"quiet.>"}, Retention: natsjs.InterestPolicy},
	} {
		createStream(t, js, c)
	}
	createConsumer(t, js, "NEWS", natsjs.ConsumerConfig{Durable: "some", FilterSubjects: []string{"news.eu.*", "news.us.>"}})
	createConsumer(t, js, "NEWS", natsjs.ConsumerConfig{Durable: "other", FilterSubject: "news.ap"})

	for subject, want := range map[string]error{
		"log.a": nil, "work.a": nil, "news.eu.a": nil, "news.us.a.b": nil, "news.ap": nil,
		"news.eu.a.b": broker.ErrUnroutable, "news.other": broker.ErrUnroutable, "quiet.a": broker.ErrUnroutable,
		"nothing.here": broker.ErrUnroutable,
	} {
		fixed := openSink(t, b, broker.Address{Subject: subject}, broker.SinkOptions{})
		own := openSink(t, b, broker.Address{}, broker.SinkOptions{})
		m := &broker.Message{Subject: subject, RoutingKey: subject}
		for range 3 { // asked, and then remembered
			if err := answer(t, send(t, fixed, m)); !errors.Is(err, want) {
				t.Errorf("subject %s: got %v, want %v", subject, err, want)
			}
			if err := answer(t, send(t, own, m)); !errors.Is(err, want) {
				t.Errorf("the message's own subject %s: got %v, want %v", subject, err, want)
			}
		}
	}
	if n := messages(t, js, "NEWS"); n != 3*2*3 {
		t.Errorf("%d messages in NEWS, want 18", n)
	}
}

// A binding counts from the moment it is made, and no longer than it lasts.
func TestABindingCountsAtOnce(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	sink := openSink(t, b, broker.Address{Exchange: "x"}, broker.SinkOptions{})
	filter := func(keys ...string) {
		t.Helper()
		c := natsjs.ConsumerConfig{Durable: "c"}
		for _, k := range keys {
			c.FilterSubjects = append(c.FilterSubjects, "p.x.x."+k)
		}
		createConsumer(t, js, "p_x_x", c)
	}
	by := func(key string) *broker.Message { return &broker.Message{RoutingKey: key} }
	for i := range 20 {
		one, two := fmt.Sprint("k", i), fmt.Sprint("k", i+1)
		filter(one)
		if err := answer(t, send(t, sink, by(one))); err != nil {
			t.Fatalf("round %d: the binding has been made, and: %v", i, err)
		}
		if err := answer(t, send(t, sink, by(two))); !errors.Is(err, broker.ErrUnroutable) {
			t.Fatalf("round %d: the binding has not been made, and: %v", i, err)
		}
		filter(one, two)
		if err := answer(t, send(t, sink, by(two))); err != nil {
			t.Fatalf("round %d: the filter has been added, and: %v", i, err)
		}
	}
	if err := js.DeleteConsumer(within(t), "p_x_x", "c"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "word of the binding that is gone", func() bool {
		return errors.Is(answer(t, send(t, sink, by("k20"))), broker.ErrUnroutable)
	})
}

// Messages keep their order behind one that the server had to be asked about.
func TestDoubtsKeepTheOrder(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	sink := openSink(t, b, broker.Address{Exchange: "x"}, broker.SinkOptions{})
	consumer := createConsumer(t, js, "p_x_x", natsjs.ConsumerConfig{Durable: "c", FilterSubject: "p.x.x.yes.*"})
	const all = 600
	var confirms []broker.Confirm
	for i := range all {
		key := fmt.Sprint("yes.", i)
		if i%3 == 1 {
			key = fmt.Sprint("no.", i)
		}
		confirms = append(confirms, send(t, sink, &broker.Message{RoutingKey: key, Body: fmt.Append(nil, i)}))
	}
	for i, c := range confirms {
		if err := answer(t, c); errors.Is(err, broker.ErrUnroutable) != (i%3 == 1) {
			t.Errorf("message %d: %v", i, err)
		}
	}
	batch, err := consumer.Fetch(all*2/3, natsjs.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	n := 0
	for m := range batch.Messages() {
		var i int
		_, _ = fmt.Sscan(string(m.Data()), &i)
		if i <= last {
			t.Fatalf("message %d came after %d", i, last)
		}
		last, n = i, n+1
	}
	if n != all*2/3 {
		t.Errorf("%d messages have arrived, want %d", n, all*2/3)
	}
	if info, err := consumer.Info(within(t)); err != nil || info.NumPending != 0 {
		t.Errorf("%+v (%v): want no more of them", info, err)
	}
}

// What a stream, or the server, will not take concerns that message alone.
func TestRefusals(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
	createStream(t, js, natsjs.StreamConfig{Name: "FULL", Subjects: []string{"full"}, MaxMsgs: 1, Discard: natsjs.DiscardNew})
	createStream(t, js, natsjs.StreamConfig{Name: "SMALL", Subjects: []string{"small"}, MaxMsgSize: 100})
	createStream(t, js, natsjs.StreamConfig{Name: "WIDE", Subjects: []string{"wide"}})
	createStream(t, js, natsjs.StreamConfig{Name: "SEALED", Subjects: []string{"sealed"}})
	if _, err := js.Publish(within(t), "full", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := js.UpdateStream(within(t), natsjs.StreamConfig{Name: "SEALED", Subjects: []string{"sealed"}, Sealed: true}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		subject string
		m       *broker.Message
		want    error
	}{
		{"full", &broker.Message{}, broker.ErrRefused},
		{"sealed", &broker.Message{}, broker.ErrRefused},
		{"small", &broker.Message{Body: make([]byte, 1000)}, broker.ErrTooLarge},
		{"small", &broker.Message{Body: make([]byte, maxPayload+1)}, broker.ErrTooLarge},
		{"small", &broker.Message{Headers: broker.Table{"h": strings.Repeat("x", maxPayload)}}, broker.ErrTooLarge},
		{"wide", &broker.Message{Headers: broker.Table{"h": strings.Repeat("x", 1<<16)}}, broker.ErrTooLarge}, // all headers of a message
		{"small", &broker.Message{Headers: broker.Table{"h": struct{}{}}}, broker.ErrRefused},
		{"small", &broker.Message{}, nil},
	} {
		sink := openSink(t, b, broker.Address{Subject: c.subject}, broker.SinkOptions{})
		err := answer(t, send(t, sink, c.m))
		if !errors.Is(err, c.want) || errors.Is(err, broker.ErrTooLarge) != errors.Is(c.want, broker.ErrTooLarge) {
			t.Errorf("subject %s: got %v, want %v", c.subject, err, c.want)
		}
		select {
		case <-sink.Lost():
			t.Errorf("subject %s: the session is lost over one message", c.subject)
		default:
		}
	}
}

// A stream without a leader is no reason to call a message unroutable: the session ends, and another comes in time.
func TestNoLeaderIsNotUnroutable(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 3, nil)
	js := s.native(t)
	createStream(t, js, natsjs.StreamConfig{Name: "LOG", Subjects: []string{"log"}, Replicas: 3})
	b := open(t, jetstream.Config{URIs: s.urls()[:1]})
	sink := openSink(t, b, broker.Address{Subject: "log"}, broker.SinkOptions{})
	if err := answer(t, send(t, sink, &broker.Message{})); err != nil {
		t.Fatal(err)
	}
	s.stop(1)
	s.stop(2)
	eventually(t, "end of the session", func() bool {
		c, sendErr := sink.Send(within(t), &broker.Message{})
		if sendErr != nil {
			return errors.Is(sendErr, broker.ErrLost)
		}
		select {
		case <-c.Done():
		case <-time.After(time.Second): // no quorum, no answer: the link has a time limit of its own
			return true
		}
		err := c.Err()
		if errors.Is(err, broker.ErrUnroutable) || errors.Is(err, broker.ErrRefused) {
			t.Fatalf("got %v of a stream that has no leader", err)
		}
		return errors.Is(err, broker.ErrLost)
	})
}

// The same message of a stream, sent again by whatever session, is stored once.
func TestDuplicatesAreRemoved(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	createStream(t, js, natsjs.StreamConfig{Name: "A", Subjects: []string{"a.*"}})
	b := open(t, jetstream.Config{URIs: s.urls()})
	stored := func(want uint64, why string) {
		t.Helper()
		if n := messages(t, js, "A"); n != want {
			t.Fatalf("%d messages, want %d: %s", n, want, why)
		}
	}
	to := func(subject string, o broker.SinkOptions, m broker.Message) {
		t.Helper()
		sink := openSink(t, b, broker.Address{Subject: subject}, o)
		if err := answer(t, send(t, sink, &m)); err != nil {
			t.Fatal(err)
		}
		sink.Close()
	}
	eu := broker.SinkOptions{Site: "eu"}
	from := func(scope string, sequence uint64) broker.Message {
		return broker.Message{Origin: broker.Origin{Scope: scope, Sequence: sequence}, Properties: broker.Properties{MessageID: "id"}}
	}
	to("a.1", eu, from("S@1", 7))
	to("a.1", eu, from("S@1", 7))
	stored(1, "the second is the same message")
	to("a.2", eu, from("S@1", 7))
	to("a.1", broker.SinkOptions{Site: "us"}, from("S@1", 7))
	to("a.1", eu, from("S@1", 8))
	to("a.1", eu, from("S@2", 7))
	stored(5, "another subject, site, sequence, stream")
	again := from("S@1", 7)
	again.Origin.Stored = time.Unix(1, 0)
	to("a.1", eu, again)
	stored(6, "a server that has lost what was not on its disk yet gives a sequence a second time")
	to("a.1", eu, from("queue", 0))
	to("a.1", eu, from("queue", 0))
	stored(8, "a message-id need not be unique")
	byID := broker.SinkOptions{Site: "eu", DeduplicateBy: "message-id"}
	to("a.1", byID, from("queue", 0))
	to("a.1", byID, from("queue", 0))
	stored(9, "it is said to be unique")
	to("a.1", byID, from("other queue", 0))
	to("a.1", byID, broker.Message{})
	to("a.1", byID, broker.Message{})
	stored(12, "it is unique in its queue; without one nothing is known")
}

// More than any window holds can be sent before the first answer, and every answer comes.
func TestManyOnTheirWay(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	createStream(t, js, natsjs.StreamConfig{Name: "A", Subjects: []string{"a"}, Storage: natsjs.MemoryStorage})
	b := open(t, jetstream.Config{URIs: s.urls()})
	sink := openSink(t, b, broker.Address{Subject: "a"}, broker.SinkOptions{})
	const all = 40_000
	confirms := make([]broker.Confirm, all)
	for i := range confirms {
		confirms[i] = send(t, sink, &broker.Message{})
	}
	for _, c := range confirms {
		if err := answer(t, c); err != nil {
			t.Fatal(err)
		}
	}
	if n := messages(t, js, "A"); n != all {
		t.Errorf("%d messages, want %d", n, all)
	}
}

// An exchange of weir's keeps each message for a while, whoever wants it, and not for ever.
func TestAnchor(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
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

// Many sinks share a few connections, and each gets its own answers.
func TestSinksShareConnections(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls(), LinksPerConnection: 4})
	before := s.servers[0].NumClients()
	sending := within(t)
	var running sync.WaitGroup
	for i := range 8 {
		subject := fmt.Sprint("s", i)
		createStream(t, js, natsjs.StreamConfig{Name: subject, Subjects: []string{subject}})
		sink := openSink(t, b, broker.Address{Subject: subject}, broker.SinkOptions{})
		running.Go(func() {
			for range 200 {
				c, err := sink.Send(sending, &broker.Message{})
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case <-c.Done():
				case <-sending.Done():
				}
				if c.Err() != nil {
					t.Error(c.Err())
				}
			}
		})
	}
	running.Wait()
	if n := s.servers[0].NumClients() - before; n != 3 {
		t.Errorf("%d connections, want two for eight sinks and one to manage", n)
	}
	openSink(t, b, broker.Address{Subject: "s0"}, broker.SinkOptions{Alone: true})
	if n := s.servers[0].NumClients() - before; n != 4 {
		t.Errorf("%d connections, want one more for who is alone", n)
	}
	for i := range 8 {
		if n := messages(t, js, fmt.Sprint("s", i)); n != 200 {
			t.Errorf("%d messages in s%d, want 200", n, i)
		}
	}
}
