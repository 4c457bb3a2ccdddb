package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/broker"
)

// faults is what a test has asked the broker to do wrong.
type faults struct {
	down        error
	silent      bool
	denied      map[string]bool // names of queues and exchanges
	blocked     string
	changed     chan struct{} // closed when blocked changes
	refuse      func(*broker.Message) error
	maxSize     int
	latency     time.Duration
	holding     bool
	depthHidden bool
	hintsLost   bool
	hintless    bool
	unmanaged   bool
}

// Cut loses every session: sources, sinks, locks and hints; those of Consume stay. New ones open at once, unless Down says otherwise. Pending answers
// become unknown: a message in transit (Latency) has not been stored, one whose answer is held (HoldConfirms) has.
func (b *Broker) Cut() {
	b.lock()
	defer b.mu.Unlock()
	why := fmt.Errorf("%w: connection cut", broker.ErrLost)
	for hints := range b.listeners {
		b.endHints(hints)
	}
	own := slices.Collect(maps.Keys(b.sources))
	b.endSources(why, slices.DeleteFunc(own, func(s *source) bool { return s.foreign })...)
	for s := range b.sinks {
		s.end(why)
	}
	for name, l := range b.locks {
		b.free(name, l)
	}
}

// Down makes everything that has to reach the broker fail with err until Up: opening, Depth, Check, Lock. Open sessions
// go on; follow it with Cut to end them too.
func (b *Broker) Down(err error) { b.do(func() { b.down = err }) }

// Silent is Down without an error: what has to reach the broker waits until its context ends.
func (b *Broker) Silent() { b.do(func() { b.silent = true }) }

// Up ends Down and Silent.
func (b *Broker) Up() { b.do(func() { b.down, b.silent = nil, false }) }

// Deny takes away every permission on the queues and exchanges of these names.
func (b *Broker) Deny(names ...string) {
	b.do(func() {
		for _, name := range names {
			b.denied[name] = true
		}
	})
}

// Block asks publishers to wait, as connection.blocked does: Send returns ErrBlocked. What was sent is still confirmed.
func (b *Broker) Block(reason string) { b.block(reason) }

// Unblock ends Block.
func (b *Broker) Unblock() { b.block("") }

func (b *Broker) block(reason string) {
	b.do(func() {
		b.blocked = reason
		close(b.changed)
		b.changed = make(chan struct{})
	})
}

// Refuse has why asked for every message that arrives: nil takes it, an error is its answer. why must not call the
// broker. Refuse(nil) ends it.
func (b *Broker) Refuse(why func(*broker.Message) error) { b.do(func() { b.refuse = why }) }

// MaxSize is the largest body the broker takes, in bytes. 0 is no limit.
func (b *Broker) MaxSize(bytes int) { b.do(func() { b.maxSize = bytes }) }

// Latency is how long a message sent from now on takes until it is stored and confirmed. 0, the default, is not at all:
// Send returns a settled Confirm.
func (b *Broker) Latency(d time.Duration) { b.do(func() { b.latency = d }) }

// HoldConfirms keeps answers back until ReleaseConfirms. Messages are stored meanwhile, so that a Cut duplicates them.
func (b *Broker) HoldConfirms() { b.do(func() { b.holding = true }) }

// ReleaseConfirms gives the answers that HoldConfirms kept back, in order.
func (b *Broker) ReleaseConfirms() {
	b.do(func() {
		b.holding = false
		for s := range b.sinks {
			s.release()
		}
	})
}

// HideDepth makes every figure of a Depth unknown, as a quorum queue under load does, or known again.
func (b *Broker) HideDepth(hidden bool) { b.do(func() { b.depthHidden = hidden }) }

// LoseHints has no Hint arrive any more, as events may get lost, or arrive again.
func (b *Broker) LoseHints(lost bool) { b.do(func() { b.hintsLost = lost }) }

// WithoutHints takes away the event exchange: Hints is unsupported, and those open end.
func (b *Broker) WithoutHints() {
	b.do(func() {
		b.hintless = true
		for hints := range b.listeners {
			b.endHints(hints)
		}
	})
}

// WithoutManagement takes away the management API: the whole Catalog is unsupported.
func (b *Broker) WithoutManagement() { b.do(func() { b.unmanaged = true }) }

func (b *Broker) do(change func()) {
	b.lock()
	defer b.mu.Unlock()
	change()
}

// reach is the way to the broker, which Down and Silent close.
func (b *Broker) reach(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.lock()
	silent, down := b.silent, b.down
	b.mu.Unlock()
	if silent {
		<-ctx.Done()
		return ctx.Err()
	}
	return down
}
