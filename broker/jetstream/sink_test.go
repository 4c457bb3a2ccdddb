package jetstream_test

import (
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

// What a stream, or the server, will not take concerns that message alone.
func TestRefusals(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
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
	sending := within(t)
	for i := range confirms {
		var err error
		if confirms[i], err = sink.Send(sending, &broker.Message{}); err != nil {
			t.Fatal(err)
		}
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
