package jetstream_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/brokertest"
	"weir/broker/jetstream"
)

// Native headers keep their names, values and lists from NATS to NATS, and what is an order to the broker stays behind.
func TestNativeMessagesTravelUnchanged(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
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
	js, b := oneServer(t, jetstream.Config{SubjectPrefix: "p", VHost: "shop"})
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
