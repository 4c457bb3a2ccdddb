package jetstream_test

import (
	"errors"
	"strings"
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

// What is wrong with the stream of a subject shows when the sink opens. One that is missing may be made later.
func TestTheStreamOfASubjectIsFoundAtOpen(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "MUTE", Subjects: []string{"mute"}, NoAck: true})
	if _, err := b.OpenSink(within(t), broker.Address{Subject: "mute"}, broker.SinkOptions{}); !errors.Is(err, broker.ErrUnsupported) {
		t.Errorf("a stream that never confirms: got %v, want ErrUnsupported", err)
	}
	if _, err := b.OpenSink(within(t), broker.Address{Subject: "later"}, broker.SinkOptions{Predeclared: true}); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("a stream that is missing and must exist: got %v, want ErrNotFound", err)
	}
	sink := openSink(t, b, broker.Address{Subject: "later"}, broker.SinkOptions{})
	if err := answer(t, send(t, sink, &broker.Message{})); !errors.Is(err, broker.ErrUnroutable) {
		t.Errorf("before there is a stream: got %v, want ErrUnroutable", err)
	}
	createStream(t, js, natsjs.StreamConfig{Name: "LATER", Subjects: []string{"later"}})
	if err := answer(t, send(t, sink, &broker.Message{})); err != nil {
		t.Errorf("after it has been made: %v", err)
	}
}

// A subject with wildcards that several streams store does not say from which to receive: none is taken in silence.
func TestASubjectOfSeveralStreamsIsRefused(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{})
	createStream(t, js, natsjs.StreamConfig{Name: "EU", Subjects: []string{"orders.eu"}})
	createStream(t, js, natsjs.StreamConfig{Name: "US", Subjects: []string{"orders.us"}})
	at := broker.Address{Subject: "orders.*"}
	if _, err := b.OpenSource(within(t), at, broker.SourceOptions{Window: 1}); !errors.Is(err, broker.ErrUnsupported) || !strings.Contains(err.Error(), "EU, US") {
		t.Errorf("got %v, want ErrUnsupported and the streams", err)
	}
	if err := b.Check(within(t), at, broker.AsSource, false); !errors.Is(err, broker.ErrUnsupported) {
		t.Errorf("check: got %v, want ErrUnsupported", err)
	}
	openSource(t, b, broker.Address{Subject: "orders.us"}, broker.SourceOptions{})
}

// A session knows which server it talks to; in this process there is none to name.
func TestSessionsKnowTheirServer(t *testing.T) {
	s := startSystem(t, 1, nil)
	for name, c := range map[string]struct {
		config jetstream.Config
		want   string
	}{
		"by uri":     {jetstream.Config{URIs: s.urls()}, strings.TrimPrefix(s.urls()[0], "nats://")},
		"in process": {jetstream.Config{InProcess: s.servers[0]}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, at := open(t, c.config), broker.Address{Queue: fresh("known")}
			source := openSource(t, b, at, broker.SourceOptions{Window: 1})
			for what, session := range map[string]any{"sink": openSink(t, b, at, broker.SinkOptions{}), "source": source} {
				if got := broker.NodeOf(session); got != c.want {
					t.Errorf("%s is at %q, want %q", what, got, c.want)
				}
			}
		})
	}
}
