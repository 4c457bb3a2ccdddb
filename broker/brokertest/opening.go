package brokertest

import (
	"context"
	"errors"

	"weir/broker"
)

// Behaviours of opening sessions.
const (
	NotFound      = "what must exist and does not is not found"
	Declare       = "a queue that need not exist is declared, durable"
	ForeignWords  = "an address in another broker's words is unsupported"
	OpenCancelled = "opening ends with its context"
	OpenTimeout   = "opening ends with its context while the broker says nothing"
	Credentials   = "wrong credentials are denied"
	Permission    = "a missing permission is denied"
)

var opening = []behaviour{
	{name: NotFound, run: func(t *test) {
		at := t.Missing()
		t.opens(at, true, broker.ErrNotFound)
		if _, err := t.Broker.Depth(t.within(), at); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("Depth: got %v, want ErrNotFound", err)
		}
	}},

	{name: Declare, run: func(t *test) {
		bySource, bySink := t.Missing(), t.Missing()
		s, err := t.Broker.OpenSource(t.within(), bySource, broker.SourceOptions{Link: "link", Site: site, Window: 1})
		if err != nil {
			t.Fatalf("OpenSource: %v", err)
		}
		t.Cleanup(func() { s.Close() })
		k, err := t.Broker.OpenSink(t.within(), bySink, broker.SinkOptions{Link: "link", Site: site})
		if err != nil {
			t.Fatalf("OpenSink: %v", err)
		}
		t.Cleanup(func() { k.Close() })
		t.confirmed(t.send(t.sink(bySource), texts("1")...))
		t.bodies(t.receive(s, 1), "1")
		t.confirmed(t.send(k, texts("2")...))
		t.bodies(t.receive(t.source(bySink, 1), 1), "2")
		for _, at := range []broker.Address{bySource, bySink} {
			if !t.Durable(at) {
				t.Errorf("%v has been declared, and not durable", at)
			}
		}
	}},

	{name: ForeignWords, run: func(t *test) {
		t.opens(broker.Address{Stream: "S", Consumer: "C"}, false, broker.ErrUnsupported)
		t.opens(broker.Address{Subject: "s"}, false, broker.ErrUnsupported)
	}},

	{name: OpenCancelled, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		t.opensSource(cancelled, t.Broker, q.Source, true, context.Canceled)
		t.opensSink(cancelled, t.Broker, q.Sink, true, context.Canceled)
	}},

	{name: OpenTimeout, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		soon := func() context.Context {
			ctx, cancel := context.WithTimeout(context.Background(), t.quiet)
			t.Cleanup(cancel)
			return ctx
		}
		t.opensSource(soon(), t.Silent, q.Source, true, context.DeadlineExceeded)
		t.opensSink(soon(), t.Silent, q.Sink, true, context.DeadlineExceeded)
		if _, err := t.Silent.Depth(soon(), q.Source); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Depth: got %v, want the error of its context", err)
		}
	}},

	{name: Credentials, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.opensSource(t.within(), t.WrongPassword, q.Source, true, broker.ErrDenied)
		t.opensSink(t.within(), t.WrongPassword, q.Sink, true, broker.ErrDenied)
		if _, err := t.WrongPassword.Depth(t.within(), q.Source); !errors.Is(err, broker.ErrDenied) {
			t.Errorf("Depth: got %v, want ErrDenied", err)
		}
	}},

	{name: Permission, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.opensSource(t.within(), t.Forbidden, q.Source, true, broker.ErrDenied)
		// Some brokers look at the permission to write only when something is written.
		if err := t.write(t.Forbidden, q.Sink); !errors.Is(err, broker.ErrDenied) {
			t.Errorf("a message to a queue one may not write to: got %v, want ErrDenied", err)
		}
		if err := t.write(t.Forbidden, t.Missing()); !errors.Is(err, broker.ErrDenied) {
			t.Errorf("a message to a queue one may not declare: got %v, want ErrDenied", err)
		}
		t.empty(q)
	}},
}

// opens asserts the error of opening at, for both ways.
func (t *test) opens(at broker.Address, predeclared bool, want error) {
	t.Helper()
	t.opensSource(t.within(), t.Broker, at, predeclared, want)
	t.opensSink(t.within(), t.Broker, at, predeclared, want)
}

func (t *test) opensSource(ctx context.Context, b broker.Broker, at broker.Address, predeclared bool, want error) {
	t.Helper()
	s, err := b.OpenSource(ctx, at, broker.SourceOptions{Link: "link", Site: site, Window: 1, Predeclared: predeclared})
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("OpenSource %v: got %v, want %v", at, err, want)
	}
}

func (t *test) opensSink(ctx context.Context, b broker.Broker, at broker.Address, predeclared bool, want error) {
	t.Helper()
	s, err := b.OpenSink(ctx, at, broker.SinkOptions{Link: "link", Site: site, Predeclared: predeclared})
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("OpenSink %v: got %v, want %v", at, err, want)
	}
}

// write tries to send one message and returns the first error on the way.
func (t *test) write(b broker.Broker, at broker.Address) error {
	t.Helper()
	s, err := b.OpenSink(t.within(), at, broker.SinkOptions{Link: "link", Site: site})
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := s.Send(t.within(), texts("1")[0])
	if err != nil {
		return err
	}
	return t.answer(c)
}
