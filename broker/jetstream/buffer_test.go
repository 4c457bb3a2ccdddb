package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/brokertest"
	"weir/broker/jetstream"
)

func declare(t testing.TB, b *jetstream.Broker, args broker.Table, keys ...string) broker.Buffer {
	t.Helper()
	buffer := broker.Buffer{Name: "weir: x -> eu", Exchange: broker.Exchange{Name: "x", Type: "topic", Durable: true}, Arguments: args}
	if err := b.DeclareBuffer(within(t), buffer); err != nil {
		t.Fatal(err)
	}
	bind(t, b, buffer, keys...)
	return buffer
}

func bind(t testing.TB, b *jetstream.Broker, buffer broker.Buffer, keys ...string) {
	t.Helper()
	var add []broker.Binding
	for _, k := range keys {
		add = append(add, broker.Binding{Key: k})
	}
	if err := b.Rebind(within(t), buffer, add, nil); err != nil {
		t.Fatal(err)
	}
}

func openBuffer(t testing.TB, b *jetstream.Broker, buffer broker.Buffer) broker.Source {
	t.Helper()
	return openSource(t, b, broker.Address{Queue: buffer.Name, Exchange: buffer.Exchange.Name}, broker.SourceOptions{Buffer: true})
}

// What is published once a binding has been made is in the buffer, whoever publishes it, and whichever replica of the
// stream is left to tell.
func TestAPublishAfterARebindIsNotLost(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 3, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p", Streams: jetstream.Streams{Replicas: 3}})
	buffer := declare(t, b, nil)
	const all = 40
	for i := range all {
		key := fmt.Sprint("k", i)
		bind(t, b, buffer, key)
		publish(t, js, "p.x.x."+key, key)
	}
	leader := ""
	asked(t, func(ctx context.Context) error {
		stream, err := js.Stream(ctx, "p_x_x")
		if err != nil {
			return err
		}
		consumers := stream.ListConsumers(ctx)
		for c := range consumers.Info() {
			if strings.HasPrefix(c.Name, "weir:") {
				leader = c.Cluster.Leader
			}
		}
		return consumers.Err()
	})
	i := slices.IndexFunc(s.options, func(o server.Options) bool { return o.ServerName == leader })
	if i < 0 {
		t.Fatalf("the buffer has leader %q", leader)
	}
	s.stop(i)
	got := map[string]bool{}
	eventually(t, "buffer that can be read to its end", func() bool {
		src, err := b.OpenSource(soon(t), broker.Address{Queue: buffer.Name, Exchange: "x"}, broker.SourceOptions{Window: all, Buffer: true})
		if err != nil {
			return false
		}
		defer src.Close()
		for len(got) < all {
			m, err := src.Receive(soon(t))
			if err != nil {
				return false
			}
			got[string(m.Body)] = true
			if src.Ack(m) != nil {
				return false
			}
		}
		return true
	})
}

// A gateway that is gone without a word, and one that hears nothing any more, lose their buffer to the one that stands by,
// which begins with what they had not settled.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for name, fall := range map[string]func(*brokertest.Proxy){"dead": (*brokertest.Proxy).Cut, "frozen": (*brokertest.Proxy).Hold} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSystem(t, 1, nil)
			js := s.native(t)
			proxy := brokertest.NewProxy(t, strings.TrimPrefix(s.urls()[0], "nats://"))
			one := open(t, jetstream.Config{URIs: []string{"nats://" + proxy.Addr()}, SubjectPrefix: "p"})
			two := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
			buffer := declare(t, one, broker.Table{"x-single-active-consumer": true}, "#")
			first := openBuffer(t, one, buffer)
			publish(t, js, "p.x.x.k", "1", "2", "3")
			for _, want := range []string{"1", "2"} {
				if m := receive(t, first); string(m.Body) != want {
					t.Fatalf("got %s, want %s", m.Body, want)
				}
			}
			second := openBuffer(t, two, buffer)
			if standby, err := second.(broker.Standing).Standby(within(t)); err != nil || !standby {
				t.Fatalf("the second: %v (%v), want it to stand by", standby, err)
			}
			fall(proxy)
			publish(t, js, "p.x.x.k", "4", "5")
			for _, want := range []string{"1", "2", "3", "4", "5"} {
				m := receive(t, second)
				if string(m.Body) != want {
					t.Fatalf("got %s, want %s", m.Body, want)
				}
				if err := second.Ack(m); err != nil {
					t.Fatal(err)
				}
			}
			if m, err := first.Receive(within(t)); !errors.Is(err, broker.ErrLost) {
				t.Errorf("the first: got %v, %v, want ErrLost", m, err)
			}
			if name == "frozen" {
				proxy.Release()
			}
		})
	}
}

// A stream that is somebody else's serves as an exchange without being changed.
func TestBufferOnAForeignStream(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{SubjectPrefix: "p"})
	before := createStream(t, js, natsjs.StreamConfig{Name: "p_x_x", Subjects: []string{"p.x.x.>"}}).CachedInfo().Config
	publish(t, js, "p.x.x.a", "before")
	buffer := declare(t, b, broker.Table{"x-queue-type": "quorum", "x-message-ttl": int32(1000)}, "a")
	publish(t, js, "p.x.x.a", "after")
	src := openBuffer(t, b, buffer)
	if m := receive(t, src); string(m.Body) != "after" || m.Exchange != "x" || m.RoutingKey != "a" {
		t.Errorf("got %s of %s %s, want what was published after the binding", m.Body, m.Exchange, m.RoutingKey)
	}
	after, err := js.Stream(within(t), "p_x_x")
	if err != nil {
		t.Fatal(err)
	}
	if info := after.CachedInfo(); fmt.Sprint(info.Config) != fmt.Sprint(before) || info.State.Consumers != 1 {
		t.Errorf("the stream has changed to %+v with %d consumers", info.Config, info.State.Consumers)
	}
	createConsumer(t, js, "p_x_x", natsjs.ConsumerConfig{Durable: "theirs", FilterSubject: "p.x.x.a.>"})
	theirs := buffer
	theirs.Name = "theirs"
	if err := b.DeclareBuffer(within(t), theirs); !errors.Is(err, broker.ErrMismatch) {
		t.Errorf("a consumer of that name is theirs: got %v, want ErrMismatch", err)
	}
	if err := b.Rebind(within(t), theirs, []broker.Binding{{Key: "b"}}, nil); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("a consumer that is theirs is bound: got %v, want ErrNotFound", err)
	}
	if err := b.DeleteBuffer(within(t), "theirs", true); err != nil {
		t.Error(err)
	}
	if _, err := js.Consumer(within(t), "p_x_x", "theirs"); err != nil {
		t.Errorf("a consumer that is theirs has been deleted: %v", err)
	}
}

// Thousands of bindings are made at once, and the buffer gets what they want.
func TestThousandsOfBindings(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{SubjectPrefix: "p"})
	var keys []string
	for i := range 10_000 {
		keys = append(keys, fmt.Sprintf("customer.%d.order", i))
	}
	begin := time.Now()
	buffer := declare(t, b, nil, keys...)
	t.Logf("made in %v", time.Since(begin))
	publish(t, js, "p.x.x.customer.9999.order", "wanted")
	if m := receive(t, openBuffer(t, b, buffer)); string(m.Body) != "wanted" {
		t.Errorf("got %s", m.Body)
	}
	bound, err := b.Bound(within(t), buffer)
	if err != nil || len(bound) != len(keys) {
		t.Errorf("%d bindings (%v), want %d", len(bound), err, len(keys))
	}
	all, err := b.Bindings(within(t), "x")
	if err != nil || len(all) != len(keys) || all[0].Destination != buffer.Name {
		t.Errorf("%d bindings of the exchange (%v), want %d of the buffer", len(all), err, len(keys))
	}
}

// What is there is told apart by vhost and prefix, and a name too long for a stream is read all the same.
func TestCatalogIsOfOneVHost(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	shop := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p", VHost: "shop"})
	root := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	long := strings.Repeat("long ", 60)
	for _, name := range []string{"a b.c", long} {
		openSink(t, shop, broker.Address{Exchange: name}, broker.SinkOptions{}).Close()
		openSink(t, shop, broker.Address{Queue: name}, broker.SinkOptions{}).Close()
	}
	openSink(t, root, broker.Address{Exchange: "shop"}, broker.SinkOptions{}).Close()
	createStream(t, js, natsjs.StreamConfig{Name: "OTHER", Subjects: []string{"p.shop.x.other"}})
	catalog := func(b *jetstream.Broker) (names []string) {
		exchanges, err := b.Exchanges(within(t))
		if err != nil {
			t.Fatal(err)
		}
		queues, err := b.Queues(within(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range exchanges {
			names = append(names, x.Type+" "+x.Name)
		}
		for _, q := range queues {
			names = append(names, q.Type+" "+q.Name)
		}
		slices.Sort(names)
		return names
	}
	if got, want := catalog(shop), []string{"quorum a b.c", "quorum " + long, "topic a b.c", "topic " + long}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := catalog(root), []string{"topic shop"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Consumers of others are bindings, as far as they want something of the exchange; the anchor is none.
func TestBindingsOfConsumers(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{SubjectPrefix: "p"})
	openSink(t, b, broker.Address{Exchange: "x"}, broker.SinkOptions{}).Close()
	createConsumer(t, js, "p_x_x", natsjs.ConsumerConfig{Durable: "some%20queue", FilterSubjects: []string{"p.x.x.a", "p.x.x.a.>", "p.x.x.*.b"}})
	createConsumer(t, js, "p_x_x", natsjs.ConsumerConfig{Durable: "all%"})
	got, err := b.Bindings(within(t), "x")
	if err != nil {
		t.Fatal(err)
	}
	want := []broker.Binding{{Destination: "all%", Key: "#"}, {Destination: "some queue", Key: "a.#"}, {Destination: "some queue", Key: "*.b"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A hint comes for what changes bindings, also by itself, and for streams; a user who may not hear of it is told so.
func TestHints(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 1, func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "all", Password: "p"},
			{Username: "deaf", Password: "p", Permissions: &server.Permissions{Subscribe: &server.SubjectPermission{Deny: []string{"$JS.EVENT.>"}}}},
		}
	})
	js := s.native(t, nats.UserInfo("all", "p"))
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p", Credentials: user("all", "p")})
	hints, err := b.Hints(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	expect := func(what string, want broker.Hint) {
		t.Helper()
		for {
			select {
			case h, open := <-hints:
				if !open {
					t.Fatalf("%s: the hints have ended", what)
				}
				if h == want {
					return
				}
			case <-within(t).Done():
				t.Fatalf("%s: no hint", what)
			}
		}
	}
	createStream(t, js, natsjs.StreamConfig{Name: "p_x_a%2Eb", Subjects: []string{"p.x.a%2Eb.>"}})
	expect("a stream", broker.Hint{})
	of := broker.Hint{Exchange: "a.b"}
	createConsumer(t, js, "p_x_a%2Eb", natsjs.ConsumerConfig{Durable: "c", FilterSubject: "p.x.a%2Eb.k"})
	expect("a consumer", of)
	createConsumer(t, js, "p_x_a%2Eb", natsjs.ConsumerConfig{Durable: "c", FilterSubject: "p.x.a%2Eb.other"})
	expect("a changed filter", of)
	if err := js.DeleteConsumer(within(t), "p_x_a%2Eb", "c"); err != nil {
		t.Fatal(err)
	}
	expect("a consumer that is deleted", of)
	createConsumer(t, js, "p_x_a%2Eb", natsjs.ConsumerConfig{InactiveThreshold: 3 * time.Second}) // hints of one moment are one
	expect("a consumer without a name", of)
	expect("a consumer that ends by itself", of)
	if err := js.DeleteStream(within(t), "p_x_a%2Eb"); err != nil {
		t.Fatal(err)
	}
	expect("a stream that is deleted", broker.Hint{})

	deaf := open(t, jetstream.Config{URIs: s.urls(), Credentials: user("deaf", "p")})
	if _, err := deaf.Hints(t.Context()); !errors.Is(err, broker.ErrUnsupported) {
		t.Errorf("a user who may not hear: got %v, want ErrUnsupported", err)
	}
	s.stop(0)
	for open := true; open; {
		select {
		case _, open = <-hints:
		case <-within(t).Done():
			t.Fatal("the hints have not ended with the connection")
		}
	}
}
