package jetstream_test

import (
	"context"
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
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	at := broker.Address{Stream: "S", Consumer: "C"}
	createConsumer(t, js, "S", natsjs.ConsumerConfig{Durable: "C", FilterSubjects: []string{"s.a", "s.b"}})
	stored := map[string]time.Time{}
	for _, m := range []string{"1 s.other", "2 s.a", "3 s.other", "4 s.b", "5 s.a"} {
		var body, subject string
		_, _ = fmt.Sscan(m, &body, &subject)
		publish(t, js, subject, body)
		stored[body] = time.Now()
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
	<-consuming.Closed()
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
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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

// Two Brokers are two gateways: one owns a lock at a time, and the other gets it soon after.
func TestLockBetweenGateways(t *testing.T) {
	s := startSystem(t, 1, nil)
	one, two := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"}), open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	held, release, err := one.Lock(within(t), "weir: orders/é")
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, _, err := two.Lock(short, "weir: orders/é"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("two own it: %v", err)
	}
	if held.Err() != nil {
		t.Fatal("the owner has lost it")
	}
	release()
	begin := time.Now()
	_, release, err = two.Lock(within(t), "weir: orders/é")
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 9*time.Second {
		t.Errorf("it took %v to get what had been released", took)
	}
	release()
}
