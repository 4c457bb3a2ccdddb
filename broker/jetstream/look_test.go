package jetstream_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

func depth(t testing.TB, b *jetstream.Broker, at broker.Address) broker.Depth {
	t.Helper()
	d, err := b.Depth(within(t), at)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The oldest message is the first one that is not settled, whatever happened to those after it.
func TestAgeOfTheOldest(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{SubjectPrefix: "p"})
	stream := createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	at := broker.Address{Stream: "S", Consumer: "C"}
	createConsumer(t, js, "S", natsjs.ConsumerConfig{Durable: "C", FilterSubjects: []string{"s.a", "s.b"}})
	stored := map[string]time.Time{}
	for i, subject := range []string{"s.other", "s.a", "s.other", "s.b", "s.a"} {
		body := fmt.Sprint(i + 1)
		publish(t, js, subject, body)
		m, err := stream.GetMsg(within(t), uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		stored[body] = m.Time
		<-time.After(50 * time.Millisecond) // so that their ages differ
	}
	src := openSource(t, b, at, broker.SourceOptions{})
	var held []*broker.Message
	for range 3 {
		held = append(held, receive(t, src))
	}
	oldest := func(want string) {
		t.Helper()
		eventually(t, "age of message "+want, func() bool {
			d := depth(t, b, at)
			if d.OldestAtLeast != d.OldestAtMost || !d.OldestAtMost.Known {
				t.Fatalf("the oldest is between %v and %v, want it exact", d.OldestAtLeast, d.OldestAtMost)
			}
			off := d.At.Sub(stored[want]) - d.OldestAtMost.D
			return off > -40*time.Millisecond && off < 40*time.Millisecond
		})
	}
	oldest("2")
	if err := src.Settle(held[1], broker.Acked); err != nil {
		t.Fatal(err)
	}
	oldest("2")
	if err := src.Settle(held[0], broker.Acked); err != nil {
		t.Fatal(err)
	}
	oldest("5")
	if err := src.Ack(held[2]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "age of nothing", func() bool { return depth(t, b, at).OldestAtMost == broker.Aged(0) })
	if d := depth(t, b, broker.Address{Stream: "S"}); d.Ready != broker.Counted(5) || d.Unacked.Known || d.OldestAtMost.D < 200*time.Millisecond {
		t.Errorf("the stream: %+v, want 5 messages and the age of the first", d)
	}
	if _, err := b.Depth(within(t), broker.Address{Exchange: "x"}); !errors.Is(err, broker.ErrUnsupported) {
		t.Errorf("an exchange: got %v, want ErrUnsupported", err)
	}
}

// The age at a consumer with many filters costs a question, not one for each.
func TestAgeBehindManyFilters(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	var filters []string
	for i := range 50 {
		filters = append(filters, fmt.Sprint("s.", i))
	}
	createConsumer(t, js, "S", natsjs.ConsumerConfig{Durable: "C", FilterSubjects: filters})
	questions, err := js.Conn().SubscribeSync("$JS.API.STREAM.MSG.GET.S")
	if err != nil {
		t.Fatal(err)
	}
	publish(t, js, "s.other", "0")
	publish(t, js, "s.7", "1")
	at := broker.Address{Stream: "S", Consumer: "C"}
	if d := depth(t, b, at); !d.OldestAtMost.Known || d.OldestAtLeast.Known {
		t.Errorf("behind a message of others: got between %v and %v, want no more than the age of that", d.OldestAtLeast, d.OldestAtMost)
	}
	src := openSource(t, b, at, broker.SourceOptions{})
	if err := src.Ack(receive(t, src)); err != nil {
		t.Fatal(err)
	}
	publish(t, js, "s.8", "2")
	eventually(t, "exact age", func() bool {
		d := depth(t, b, at)
		return d.OldestAtMost.Known && d.OldestAtMost == d.OldestAtLeast && d.Unacked.N+d.Ready.N == 1
	})
	if n, _, err := questions.Pending(); err != nil || n > 10 {
		t.Errorf("%d questions, %v; want a few", n, err)
	}
}

// Who wants messages is told apart from gateways that pull, this one and others: they would take each other's pulls for
// demand and move messages to and fro.
func TestPullsOfGatewaysAreNoDemand(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 1, nil)
	js := s.native(t)
	q := broker.Address{Queue: "q"}
	var gateways []*jetstream.Broker
	for range 3 {
		b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
		openSink(t, b, q, broker.SinkOptions{}).Close()
		gateways = append(gateways, b)
	}
	demand := func(want int64) {
		t.Helper()
		for i, b := range gateways {
			eventually(t, fmt.Sprintf("demand of %d for gateway %d", want, i), func() bool {
				d := depth(t, b, q)
				return d.Ready == broker.Counted(0) && d.Consumers == broker.Counted(want)
			})
		}
	}
	demand(0)
	for _, b := range gateways[1:] {
		openSource(t, b, q, broker.SourceOptions{})
	}
	consumer, err := js.Consumer(within(t), "p_q_q", "q")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "pull of each gateway", func() bool {
		info, err := consumer.Info(within(t))
		return err == nil && info.NumWaiting >= 2
	})
	demand(0)
	consuming, err := consumer.Consume(func(m natsjs.Msg) { _ = m.Ack() })
	if err != nil {
		t.Fatal(err)
	}
	demand(1)
	consuming.Stop()
	await(t, "end of consuming", consuming.Closed())
	demand(0)
}

// Many who watch one queue cost the server one question in a tenth of a second.
func TestDepthIsShared(t *testing.T) {
	s := startSystem(t, 1, nil)
	b := open(t, jetstream.Config{URIs: s.urls()})
	q := broker.Address{Queue: "q"}
	openSink(t, b, q, broker.SinkOptions{}).Close()
	last := depth(t, b, q)
	for begin := time.Now(); time.Since(begin) < 300*time.Millisecond; {
		d := depth(t, b, q)
		if after := d.At.Sub(last.At); d != last && after < 100*time.Millisecond {
			t.Fatalf("read again after %v", after)
		}
		last = d
	}
}

// A check knows what the user may not do before a message is lost over it.
func TestCheckPermissions(t *testing.T) {
	s := startSystem(t, 1, func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "all", Password: "p"},
			{Username: "reader", Password: "p", Permissions: &server.Permissions{Publish: &server.SubjectPermission{
				Allow: []string{"$JS.API.>", "$SYS.REQ.USER.INFO", "$JS.ACK.>"}, Deny: []string{"$JS.API.CONSUMER.MSG.NEXT.OTHER.>"},
			}}},
		}
	})
	all := open(t, jetstream.Config{URIs: s.urls(), Credentials: user("all", "p"), SubjectPrefix: "p"})
	reader := open(t, jetstream.Config{URIs: s.urls(), Credentials: user("reader", "p"), SubjectPrefix: "p"})
	q := broker.Address{Queue: "q"}
	openSink(t, all, q, broker.SinkOptions{}).Close()
	if err := reader.Check(within(t), q, broker.AsSource, true); err != nil {
		t.Errorf("a source that may be read: %v", err)
	}
	if err := reader.Check(within(t), q, broker.AsDestination, true); !errors.Is(err, broker.ErrDenied) {
		t.Errorf("a destination that may not be written: got %v, want ErrDenied", err)
	}
	if err := all.Check(within(t), q, broker.AsDestination, true); err != nil {
		t.Errorf("a destination that may be written: %v", err)
	}
	// And what the check foresees does happen: the session ends, and says why.
	sink := openSink(t, reader, q, broker.SinkOptions{Predeclared: true})
	if err := answer(t, send(t, sink, &broker.Message{})); !errors.Is(err, broker.ErrDenied) {
		t.Errorf("a message that may not be written: got %v, want ErrDenied", err)
	}
}

func TestCheckAddresses(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	createStream(t, js, natsjs.StreamConfig{Name: "MUTE", Subjects: []string{"mute"}, NoAck: true})
	for _, c := range []struct {
		at          broker.Address
		as          broker.Role
		predeclared bool
		want        error
	}{
		{broker.Address{}, broker.AsDestination, true, nil},
		{broker.Address{}, broker.AsSource, true, broker.ErrUnsupported},
		{broker.Address{Exchange: "x"}, broker.AsDestination, false, nil},
		{broker.Address{Exchange: "x"}, broker.AsDestination, true, broker.ErrNotFound},
		{broker.Address{Exchange: "x"}, broker.AsSource, true, broker.ErrNotFound},
		{broker.Address{Subject: "s.a"}, broker.AsDestination, true, nil},
		{broker.Address{Subject: "s.*"}, broker.AsDestination, true, broker.ErrUnsupported},
		{broker.Address{Subject: "other"}, broker.AsDestination, false, broker.ErrNotFound},
		{broker.Address{Subject: "mute"}, broker.AsDestination, false, broker.ErrUnsupported},
		{broker.Address{Stream: "S"}, broker.AsDestination, false, broker.ErrUnsupported},
		{broker.Address{Stream: "S", Consumer: "C"}, broker.AsSource, false, nil},
		{broker.Address{Stream: "S", Consumer: "C"}, broker.AsSource, true, broker.ErrNotFound},
		{broker.Address{Stream: "NONE", Consumer: "C"}, broker.AsSource, false, broker.ErrNotFound},
		{broker.Address{Subject: "s.a"}, broker.AsSource, false, nil},
	} {
		if err := b.Check(within(t), c.at, c.as, c.predeclared); !errors.Is(err, c.want) {
			t.Errorf("%v as %d, predeclared %v: got %v, want %v", c.at, c.as, c.predeclared, err, c.want)
		}
	}
}
