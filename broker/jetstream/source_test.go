package jetstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/brokertest"
	"weir/broker/jetstream"
)

func openSource(t testing.TB, b *jetstream.Broker, at broker.Address, o broker.SourceOptions) broker.Source {
	t.Helper()
	if o.Window == 0 {
		o.Window = 100
	}
	s, err := b.OpenSource(within(t), at, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func receive(t testing.TB, s broker.Source) *broker.Message {
	t.Helper()
	m, err := s.Receive(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func publish(t testing.TB, js natsjs.JetStream, subject string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		id := natsjs.WithMsgID(fresh("id")) // so that it is stored once, however often it is sent
		asked(t, func(ctx context.Context) error {
			_, err := js.Publish(ctx, subject, []byte(body), id)
			return err
		})
	}
}

// publishNumbers stores 0 to n-1, without waiting for each in turn.
func publishNumbers(t testing.TB, js natsjs.JetStream, subject string, n int) {
	t.Helper()
	sent := make([]natsjs.PubAckFuture, n)
	for i := range sent {
		var err error
		if sent[i], err = js.PublishAsync(subject, fmt.Append(nil, i), natsjs.WithMsgID(fresh("id"))); err != nil {
			t.Fatal(err)
		}
	}
	for _, ack := range sent {
		select {
		case <-ack.Ok():
		case <-ack.Err(): // a cluster drops what comes while it elects a leader
			asked(t, func(ctx context.Context) error {
				_, err := js.PublishMsg(ctx, ack.Msg())
				return err
			})
		case <-time.After(patience):
			t.Fatalf("no answer to a message within %v", patience)
		}
	}
}

// A stream and a consumer in NATS' words: the consumer is made where it is missing, the stream is not.
func TestConsumersOfExistingStreams(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls(), ConfirmTimeout: time.Minute})
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
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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

// A consumer that lets no request be as large as the next message would stand still for ever: the session ends and says so.
func TestAMessageLargerThanRequestsMayBe(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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

// What is held for longer than the ack wait is not delivered again, received or not.
func TestHeldMessagesAreNotDeliveredAgain(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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

// A consumer, or a stream, that is deleted ends the session with the reason.
func TestDeletedConsumer(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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

// Messages that a stream has dropped, by age or size, before they were delivered are counted.
func TestExpired(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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

// Bodies larger than all that a session may hold arrive, and do not stay held together.
func TestLargeMessages(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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

// A session goes on when the consumer gets another leader, and nothing is lost.
func TestConsumerMoves(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 3, nil)
	js := s.native(t)
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: 3, Retention: natsjs.WorkQueuePolicy})
	createConsumer(t, js, "S", natsjs.ConsumerConfig{Durable: "C", AckWait: ackWait})
	b := open(t, jetstream.Config{URIs: s.urls()})
	src := openSource(t, b, broker.Address{Stream: "S", Consumer: "C"}, broker.SourceOptions{})
	const all = 300
	seen := map[string]bool{}
	for i := range all {
		publish(t, js, "s", fmt.Sprint(i))
		if i%100 == 50 {
			// Whoever steps down may do so before it answers.
			_, _ = js.Conn().Request("$JS.API.CONSUMER.LEADER.STEPDOWN.S.C", nil, time.Second)
		}
	}
	for len(seen) < all {
		m := receive(t, src)
		seen[string(m.Body)] = true
		if err := src.Ack(m); err != nil {
			t.Fatal(err)
		}
	}
}

// A node is killed while messages flow from one stream to another: none is lost.
func TestNodeIsKilledInFullFlow(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 3, nil)
	js := s.native(t)
	const all = 3000
	b := open(t, jetstream.Config{URIs: s.urls(), Streams: jetstream.Streams{Replicas: 3}, SubjectPrefix: "p"})
	from, to := broker.Address{Queue: "from"}, broker.Address{Queue: "to"}
	for _, queue := range []string{"from", "to"} {
		createStream(t, js, natsjs.StreamConfig{Name: "p_q_" + queue, Subjects: []string{"p.q." + queue}, Replicas: 3, Retention: natsjs.WorkQueuePolicy})
		createConsumer(t, js, "p_q_"+queue, natsjs.ConsumerConfig{Durable: queue, AckWait: ackWait})
	}
	publishNumbers(t, js, "p.q.from", all)
	killed := make(chan struct{})
	moved := 0
	done := func() bool {
		d, err := b.Depth(within(t), from)
		return err == nil && d.Ready.N+d.Unacked.N == 0
	}
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			d, err := b.Depth(within(t), from)
			t.Fatalf("not done after %v: %+v %v; moved %d", patience, d, err, moved)
		}
		carry(t, b, from, to, func() {
			if moved++; moved == all/3 {
				go func() { s.stop(1); close(killed) }()
			}
		})
	}
	await(t, "end of the node", killed)
	got := map[string]bool{}
	src := openSource(t, b, to, broker.SourceOptions{})
	for len(got) < all {
		m := receive(t, src)
		got[string(m.Body)] = true
		if err := src.Ack(m); err != nil {
			t.Fatal(err)
		}
	}
}

// carry moves messages until a session is lost, or nothing comes for a while.
func carry(t *testing.T, b *jetstream.Broker, from, to broker.Address, moved func()) {
	sink, err := b.OpenSink(within(t), to, broker.SinkOptions{Site: "eu"})
	if err != nil {
		return
	}
	defer sink.Close()
	src, err := b.OpenSource(within(t), from, broker.SourceOptions{Site: "eu", Window: 50})
	if err != nil {
		return
	}
	defer src.Close()
	type sent struct {
		m *broker.Message
		c broker.Confirm
	}
	var flight []sent
	settled := func(most int) bool {
		for len(flight) > most {
			select {
			case <-flight[0].c.Done():
			case <-time.After(5 * time.Second):
				return false
			}
			if flight[0].c.Err() != nil || src.Ack(flight[0].m) != nil {
				return false
			}
			flight = flight[1:]
			moved()
		}
		return true
	}
	for settled(40) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		m, err := src.Receive(ctx)
		cancel()
		if err != nil {
			settled(0)
			return
		}
		c, err := sink.Send(t.Context(), m)
		if err != nil {
			return
		}
		flight = append(flight, sent{m, c})
	}
}

// Whoever receives from an exchange has its anchor run: it changes what is bound, and a message of that moment must not be lost.
func TestASourceOfAnExchangeHasItAnchored(t *testing.T) {
	s := startSystem(t, 1, nil)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	openSource(t, b, broker.Address{Exchange: "x"}, broker.SourceOptions{})
	if _, err := s.native(t).Consumer(within(t), "p_x_x", "weir-anchor"); err != nil {
		t.Error(err)
	}
}

// Native headers keep their names, values and lists from NATS to NATS, and what is an order to the broker stays behind.
func TestNativeMessagesTravelUnchanged(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
	createStream(t, js, natsjs.StreamConfig{Name: "A", Subjects: []string{"a.>"}})
	createStream(t, js, natsjs.StreamConfig{Name: "B", Subjects: []string{"b.>"}})
	sent := &nats.Msg{Subject: "a.one", Data: []byte("body"), Header: nats.Header{
		"X-Region": {"eu"}, "x-list": {"b", "a", "b"}, "traceparent": {"00-aa-bb-01"}, "Nats-Msg-Id": {"mine"},
	}}
	if _, err := js.PublishMsg(within(t), sent); err != nil {
		t.Fatal(err)
	}
	src := openSource(t, b, broker.Address{Stream: "A", Consumer: "C"}, broker.SourceOptions{})
	sink := openSink(t, b, broker.Address{Subject: "b.one"}, broker.SinkOptions{})
	if err := answer(t, send(t, sink, receive(t, src))); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(within(t), "B")
	if err != nil {
		t.Fatal(err)
	}
	got, err := stream.GetMsg(within(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("Nats-Msg-Id") == "mine" {
		t.Error("the identity the source stream knew it by went on")
	}
	delete(got.Header, "Nats-Msg-Id")
	delete(sent.Header, "Nats-Msg-Id")
	if fmt.Sprint(got.Header) != fmt.Sprint(sent.Header) || string(got.Data) != "body" {
		t.Errorf("got %v %s, want %v body", got.Header, got.Data, sent.Header)
	}
}

// A message from RabbitMQ finds its exchange and key again after a subject that does not say them.
func TestOriginalAddressComesBack(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p", VHost: "shop"})
	createStream(t, js, natsjs.StreamConfig{Name: "A", Subjects: []string{"a.>"}})
	createStream(t, js, natsjs.StreamConfig{Name: "X", Subjects: []string{"p.shop.x.orders.>"}})
	src := openSource(t, b, broker.Address{Stream: "A", Consumer: "C"}, broker.SourceOptions{})
	there := openSink(t, b, broker.Address{Subject: "a.one"}, broker.SinkOptions{})
	m := brokertest.Rich()
	m.Exchange, m.RoutingKey = "orders", "order.created"
	if err := answer(t, send(t, there, m)); err != nil {
		t.Fatal(err)
	}
	got := receive(t, src)
	if got.Exchange != "orders" || got.RoutingKey != "order.created" || got.Subject != "a.one" {
		t.Errorf("got exchange %q, key %q, subject %q", got.Exchange, got.RoutingKey, got.Subject)
	}
	if d := brokertest.Diff(m, got); d != "" {
		t.Errorf("(-sent +received):\n%s", d)
	}
	// As AMQP would publish it: with the address and without the subject.
	got.Subject = ""
	own := openSink(t, b, broker.Address{}, broker.SinkOptions{})
	if err := answer(t, send(t, own, got)); err != nil {
		t.Fatal(err)
	}
	if n := messages(t, js, "X"); n != 1 {
		t.Errorf("%d messages to the exchange, want 1", n)
	}
}

// A subject made of RabbitMQ's words in one vhost is made anew in another; any other subject stays.
func TestZeroAddressBetweenVHosts(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	shop := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p", VHost: "shop"})
	shelf := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p", VHost: "shelf"})
	createStream(t, js, natsjs.StreamConfig{Name: "A", Subjects: []string{"p.shop.>", "a.one"}})
	createStream(t, js, natsjs.StreamConfig{Name: "B", Subjects: []string{"p.shelf.>"}})
	publish(t, js, "p.shop.x.orders.k", "exchange")
	publish(t, js, "p.shop.q.work", "queue")
	src := openSource(t, shop, broker.Address{Stream: "A", Consumer: "C"}, broker.SourceOptions{})
	sink := openSink(t, shelf, broker.Address{}, broker.SinkOptions{})
	for _, want := range []string{"p.shelf.x.orders.k", "p.shelf.q.work"} {
		if err := answer(t, send(t, sink, receive(t, src))); err != nil {
			t.Fatal(err)
		}
		b, err := js.Stream(within(t), "B")
		if err != nil {
			t.Fatal(err)
		}
		if m, err := b.GetLastMsgForSubject(within(t), want); err != nil {
			t.Errorf("%s: %v", want, err)
		} else if m.Subject != want {
			t.Errorf("got %s, want %s", m.Subject, want)
		}
	}
	publish(t, js, "a.one", "foreign")
	m := receive(t, src)
	if err := answer(t, send(t, sink, m)); err != nil {
		t.Fatal(err)
	}
	if n := messages(t, js, "A"); n != 4 {
		t.Errorf("%d messages in A, want 4: the foreign subject stays", n)
	}
}

// Stop on a source to which nothing has come for long does not wait.
func TestStopOfAnIdleSource(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 1, nil)
	b := open(t, jetstream.Config{URIs: s.urls()})
	src := openSource(t, b, broker.Address{Queue: "q"}, broker.SourceOptions{})
	begin := time.Now()
	if err := src.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 20*time.Second { // a request waits 30 s
		t.Errorf("Stop took %v", took)
	}
	if _, err := src.Receive(within(t)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
}

// A message that comes while Stop is under way is delivered, or left untouched; it is never out of sight until its ack
// wait is over.
func TestStopInFullFlow(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	q := broker.Address{Queue: "q"}
	openSink(t, b, q, broker.SinkOptions{}).Close()
	flowing, stop := make(chan struct{}), make(chan struct{})
	published := 0
	go func() {
		defer close(flowing)
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := js.Publish(t.Context(), "p.q.q", nil); err != nil {
					t.Error(err)
					return
				}
				published++
			}
		}
	}()
	received := 0
	for range 5 {
		src := openSource(t, b, q, broker.SourceOptions{Window: 50})
		for range 300 {
			if err := src.Ack(receive(t, src)); err != nil {
				t.Fatal(err)
			}
			received++
		}
		stopped := make(chan error, 1)
		go func() { stopped <- src.Stop(within(t)) }()
		for {
			m, err := src.Receive(within(t))
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.Redelivered {
				t.Error("a message was given back on the way")
			}
			if err := src.Ack(m); err != nil {
				t.Fatal(err)
			}
			received++
		}
		if err := <-stopped; err != nil { // within its own time
			t.Fatal(err)
		}
		src.Close()
	}
	close(stop)
	await(t, "end of publishing", flowing)
	eventually(t, "settled queue", func() bool {
		d, err := b.Depth(within(t), q)
		return err == nil && d.Unacked.N == 0 && int(d.Ready.N) == published-received
	})
}
