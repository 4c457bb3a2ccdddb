package jetstream_test

import (
	"errors"
	"fmt"
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

// JetStream stores, or forgets, whatever a stream captures. A message is routable where somebody gets it.
func TestRoutable(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
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
	js, b := oneServer(t, jetstream.Config{SubjectPrefix: "p"})
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
	js, b := oneServer(t, jetstream.Config{SubjectPrefix: "p"})
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
