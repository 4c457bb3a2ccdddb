package link_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// BenchmarkPump is what the pump itself costs a message: both ends are next to free.
func BenchmarkPump(b *testing.B) {
	b.Run("confirmed-at-once", func(b *testing.B) { pumpThrough(b, freeSink{}, nil) })
	b.Run("looked-at", func(b *testing.B) { pumpThrough(b, freeSink{}, unsampled) })
	b.Run("confirmed-later", func(b *testing.B) {
		s := &lateSink{sent: make(chan *broker.Answer, 1<<16)}
		var answering sync.WaitGroup
		answering.Go(s.answer)
		pumpThrough(b, s, nil)
		close(s.sent)
		answering.Wait()
	})
}

// BenchmarkMemory is a link between two brokers in memory, which copy and queue each message.
func BenchmarkMemory(b *testing.B) {
	from, to := memory.New("eu"), memory.New("us")
	from.Declare("in", memory.Queue{})
	to.DeclareExchange("out", memory.Fanout)
	to.Declare("last", memory.Queue{MaxLength: 1 << 30})
	to.Bind("last", "out", "")
	for range b.N {
		from.Put("in", "x")
	}
	b.ReportAllocs()
	b.ResetTimer()
	run(b, link.Spec{
		Source:      link.Origin{Broker: from, At: broker.Address{Queue: "in"}},
		Destination: link.To{Broker: to, At: broker.Address{Exchange: "out"}},
	})
}

// unsampled looks for the flag of a trace context, as one who follows only sampled messages does.
func unsampled(m *broker.Message, _ string) link.Trail {
	if parent, _ := m.Headers["traceparent"].(string); len(parent) == 55 && parent[54]&1 == 1 {
		panic("sampled")
	}
	return nil
}

func pumpThrough(b *testing.B, sink broker.Sink, observe link.Observe) {
	b.ReportAllocs()
	run(b, link.Spec{
		Source:      link.Origin{Broker: &freeBroker{}},
		Destination: destination{Destination: link.To{Broker: &freeBroker{sink: sink}}},
		Observe:     observe,
		Window:      1000,
	})
}

// run lets a link move b.N messages.
func run(b *testing.B, spec link.Spec) {
	spec.Name, spec.DeleteAfter = "bench", int64(b.N)
	l := link.New(spec, slog.New(slog.NewTextHandler(io.Discard, nil)))
	l.Run(context.Background())
	if s := l.Status(); s.Counts.Confirmed != int64(b.N) {
		b.Fatalf("%d of %d: %+v", s.Counts.Confirmed, b.N, s)
	}
}

// freeBroker has a source of the same few messages over and over.
type freeBroker struct {
	sink broker.Sink
}

func (f *freeBroker) OpenSource(_ context.Context, _ broker.Address, o broker.SourceOptions) (broker.Source, error) {
	s := &freeSource{messages: make([]broker.Message, 2*o.Window), window: uint64(o.Window), room: make(chan struct{}, 1)}
	for i := range s.messages {
		s.messages[i].Body = make([]byte, 1024)
		s.messages[i].Headers = broker.Table{
			"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "tenant": "a", "attempt": int32(1),
		}
	}
	return s, nil
}

func (f *freeBroker) OpenSink(context.Context, broker.Address, broker.SinkOptions) (broker.Sink, error) {
	return f.sink, nil
}

func (f *freeBroker) Depth(context.Context, broker.Address) (broker.Depth, error) {
	return broker.Depth{}, nil
}

type freeSource struct {
	messages []broker.Message
	window   uint64
	received uint64
	acked    atomic.Uint64
	room     chan struct{}
}

func (s *freeSource) Receive(ctx context.Context) (*broker.Message, error) {
	for s.received-s.acked.Load() >= s.window {
		select {
		case <-s.room:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m := &s.messages[s.received%uint64(len(s.messages))]
	s.received++
	m.Tag = s.received
	return m, nil
}

func (s *freeSource) Ack(last *broker.Message) error {
	s.acked.Store(last.Tag)
	select {
	case s.room <- struct{}{}:
	default:
	}
	return nil
}

func (s *freeSource) Settle(m *broker.Message, _ broker.Settlement) error { return s.Ack(m) }
func (s *freeSource) Stop(context.Context) error                          { return nil }
func (s *freeSource) Close() error                                        { return nil }

// freeSink confirms at once.
type freeSink struct{}

type done struct{}

func (done) Err() error            { return nil }
func (done) Done() <-chan struct{} { return nil }

func (freeSink) Send(context.Context, *broker.Message) (broker.Confirm, error) { return done{}, nil }
func (freeSink) Lost() <-chan struct{}                                         { return nil }
func (freeSink) Close() error                                                  { return nil }

// lateSink confirms from another goroutine, as a driver does.
type lateSink struct {
	freeSink
	sent chan *broker.Answer
}

func (s *lateSink) Send(context.Context, *broker.Message) (broker.Confirm, error) {
	a := &broker.Answer{}
	s.sent <- a
	return a, nil
}

func (s *lateSink) answer() {
	for a := range s.sent {
		a.Settle(nil)
	}
}
