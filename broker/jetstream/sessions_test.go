package jetstream_test

import (
	"testing"

	"weir/broker"
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
