package brokertest

import (
	"context"
	"errors"

	"weir/broker"
)

// Behaviours of opening sessions.
const (
	NotFound      = "what must exist and does not is not found"
	OpenCancelled = "opening ends with its context"
)

var opening = []behaviour{
	{name: NotFound, run: func(t *test) {
		at := t.Missing()
		if _, err := t.Broker.OpenSource(t.within(), at, broker.SourceOptions{Link: "link", Site: site, Window: 1, Predeclared: true}); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("OpenSource: got %v, want ErrNotFound", err)
		}
		if _, err := t.Broker.OpenSink(t.within(), at, broker.SinkOptions{Link: "link", Site: site, Predeclared: true}); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("OpenSink: got %v, want ErrNotFound", err)
		}
		if _, err := t.Broker.Depth(t.within(), at); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("Depth: got %v, want ErrNotFound", err)
		}
	}},

	{name: OpenCancelled, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := t.Broker.OpenSource(cancelled, q.Source, broker.SourceOptions{Link: "link", Site: site, Window: 1}); !errors.Is(err, context.Canceled) {
			t.Errorf("OpenSource: got %v, want the error of its context", err)
		}
		if _, err := t.Broker.OpenSink(cancelled, q.Sink, broker.SinkOptions{Link: "link", Site: site}); !errors.Is(err, context.Canceled) {
			t.Errorf("OpenSink: got %v, want the error of its context", err)
		}
	}},
}
