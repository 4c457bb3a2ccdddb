package jetstream_test

import (
	"errors"
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

// What is wrong with the stream of a subject shows when the sink opens. One that is missing may be made later.
func TestTheStreamOfASubjectIsFoundAtOpen(t *testing.T) {
	s := startSystem(t, 1, nil)
	js := s.native(t)
	b := open(t, jetstream.Config{URIs: s.urls()})
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
