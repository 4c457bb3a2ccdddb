package link_test

import (
	"context"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

func TestPanicInADriverEndsTheSessionOnly(t *testing.T) {
	for where, arm := range map[string]func(r *rig, panics func()){
		"OpenSink": func(r *rig, panics func()) {
			r.spec.Destination = destination{Destination: r.spec.Destination, open: func(context.Context, broker.SinkOptions) error { panics(); return nil }}
		},
		"Send": func(r *rig, panics func()) {
			r.spec.Destination = destination{Destination: r.spec.Destination, wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
				return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
					panics()
					return s.Send(ctx, m)
				}}
			}}
		},
		"Receive": func(r *rig, panics func()) {
			r.source.wrap = func(s broker.Source) broker.Source { return bomb{Source: s, receive: panics} }
		},
		"Ack": func(r *rig, panics func()) {
			r.source.wrap = func(s broker.Source) broker.Source { return bomb{Source: s, ack: panics} }
		},
		"Blocked": func(r *rig, panics func()) {
			r.spec.Destination = destination{Destination: r.spec.Destination, wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
				return blockBomb{s, panics}
			}}
		},
		"Gate": func(r *rig, panics func()) { r.spec.Gate = bombGate{panics} },
	} {
		t.Run(where, func(t *testing.T) {
			play(t, func(r *rig) {
				var panicked bool
				arm(r, func() {
					if !panicked {
						panicked = true
						panic("driver broke")
					}
				})
				r.put(100)
				r.start()
				r.arrived(10*time.Second, 100)
				r.after(time.Second)
				r.complete(100, 100)
				r.empty()
				if !panicked {
					r.Fatal("nothing panicked")
				}
				r.contains("the last error", r.link.Status().LastError, "panic: driver broke")
				r.contains("the log", r.log.String(), "panic_test.go") // the stack
			})
		})
	}
}

type bomb struct {
	broker.Source
	receive, ack func()
}

func (b bomb) Receive(ctx context.Context) (*broker.Message, error) {
	if b.receive != nil {
		b.receive()
	}
	return b.Source.Receive(ctx)
}

func (b bomb) Ack(last *broker.Message) error {
	if b.ack != nil {
		b.ack()
	}
	return b.Source.Ack(last)
}

// Resize implements broker.Resizer.
func (b bomb) Resize(ctx context.Context, window int) error {
	return b.Source.(broker.Resizer).Resize(ctx, window)
}

type blockBomb struct {
	broker.Sink
	panics func()
}

func (b blockBomb) Blocked() (string, <-chan struct{}) {
	b.panics()
	return b.Sink.(broker.Blocker).Blocked()
}

type bombGate struct{ panics func() }

func (g bombGate) Open(ctx context.Context) (context.Context, func(), error) {
	g.panics()
	return link.Always{}.Open(ctx)
}

func (g bombGate) Shut() (link.State, string) { return "", "" }
