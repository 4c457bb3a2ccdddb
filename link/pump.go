package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"weir/broker"
)

// Why a round of the pump ended, beside a lost source or sink.
var (
	errStuck   = errors.New("a message was refused")
	errTryHeld = errors.New("time to try what has nowhere to go")
	errTaken   = errors.New("delete-after was reached")
)

// ackDelay is how long acks are gathered while the next confirm is awaited: short enough to be prompt, long enough for
// the confirms of one batch, which arrive together but are handed over one by one, to be acked together.
const ackDelay = time.Millisecond

// pump moves messages from one open source to one open sink after another. Work is done in rounds; a fault ends a round,
// and what is then unresolved is kept, in order, for the next. So a fault at the sink gives nothing back.
//
//	source ─ Receive ─► forward ─ Send ─► sink
//	   ▲                   │ flight (in order)
//	   └────── Ack ─── settle ◄── Confirm ┘
type pump struct {
	spec    *Spec
	source  broker.Source
	board   *board
	flight  *flight
	limiter *rate.Limiter // nil: no limit
	seq     uint64
	left    int64 // how many may still be received, if spec.DeleteAfter is set

	// settle's own
	last    *broker.Message // the last good one, not acked yet
	unacked int             // how many an ack of last would settle
	linger  *time.Timer
	lost    []entry // unknown: to be sent again
	refused []entry // to be treated alone

	mu     sync.Mutex
	unsent []entry      // received, not sent when the round ended
	parked []entry      // nowhere to go
	gaps   atomic.Int64 // messages passed over, which a cumulative ack would settle too

	lag lag
}

func newPump(spec *Spec, source broker.Source, b *board) *pump {
	p := &pump{spec: spec, source: source, board: b, flight: b.inFlight, linger: time.NewTimer(0)}
	if spec.RateLimit > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(spec.RateLimit), max(1, int(spec.RateLimit/10)))
	}
	return p
}

// round forwards and settles until the source is drained (io.EOF), the sink or the source is lost, a message is refused
// (errStuck), forwarding ends (its cause), or ctx ends. carry is sent first; solo sends it one by one.
func (p *pump) round(ctx, forwarding context.Context, stop context.CancelCauseFunc, sink broker.Sink, carry []entry, solo bool) error {
	forwarded := make(chan struct{})
	var forwardErr error
	go func() {
		defer close(forwarded)
		defer func() {
			if r := recover(); r != nil {
				forwardErr = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		forwardErr = p.forward(forwarding, sink, carry, solo)
	}()
	settleErr := p.settle(ctx, sink, stop, forwarded)
	stop(settleErr)
	<-forwarded
	if settleErr != nil {
		return settleErr
	}
	return forwardErr
}

// forward receives and sends. What it holds when it has to stop is kept in unsent.
func (p *pump) forward(ctx context.Context, sink broker.Sink, carry []entry, solo bool) error {
	for i, e := range carry {
		if err := p.send(ctx, sink, e); err != nil {
			p.keep(carry[i:]...)
			return err
		}
		if solo && !p.landed(ctx) {
			p.keep(carry[i+1:]...)
			return context.Cause(ctx)
		}
	}
	for {
		if p.spec.DeleteAfter != 0 && p.left == 0 {
			return errTaken
		}
		m, err := p.source.Receive(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if errors.Is(err, io.EOF) {
				return io.EOF
			}
			return &sourceError{err}
		}
		p.board.received.Add(1)
		p.left--
		p.seq++
		e := entry{m: m, seq: p.seq}
		if p.limiter != nil && p.limiter.Wait(ctx) != nil {
			p.keep(e)
			return context.Cause(ctx)
		}
		if err := p.send(ctx, sink, e); err != nil {
			p.keep(e)
			return err
		}
	}
}

// send hands one message to the sink, waiting while the broker asks to.
func (p *pump) send(ctx context.Context, sink broker.Sink, e entry) error {
	if p.spec.AckMode == NoAck && e.sent.IsZero() {
		if err := p.source.Settle(e.m, broker.Acked); err != nil {
			return &sourceError{err}
		}
	}
	for {
		e.sent = time.Now()
		confirm, err := sink.Send(ctx, e.m)
		switch {
		case err == nil:
			e.confirm = confirm
			p.flight.push(e)
			return nil
		case errors.Is(err, broker.ErrNowhere):
			p.park(e)
			return nil
		case errors.Is(err, broker.ErrBlocked):
			if !unblocked(ctx, sink) {
				return context.Cause(ctx)
			}
		case ctx.Err() != nil:
			return context.Cause(ctx)
		default:
			return &sinkError{err}
		}
	}
}

// unblocked waits until the broker lets publishers go on.
func unblocked(ctx context.Context, sink broker.Sink) bool {
	b, ok := sink.(broker.Blocker)
	if !ok {
		return wait(ctx, time.Second)
	}
	reason, changed := b.Blocked()
	if reason == "" {
		return ctx.Err() == nil
	}
	select {
	case <-changed:
		return true
	case <-sink.Lost():
		return true // Send says so
	case <-ctx.Done():
		return false
	}
}

// landed waits until nothing is in flight.
func (p *pump) landed(ctx context.Context) bool {
	for p.flight.len() > 0 {
		select {
		case <-p.flight.emptied:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

func (p *pump) keep(e ...entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unsent = append(p.unsent, e...)
}

func (p *pump) park(e entry) {
	p.gaps.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parked = append(p.parked, e)
	p.board.held.Store(int64(len(p.parked)))
}

// held is how many messages have nowhere to go, and their size in bytes.
func (p *pump) held() (n, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.parked {
		bytes += len(e.m.Body)
	}
	return len(p.parked), bytes
}

// settle takes what is in flight in order, waits for each confirm, and acks the last good one just before it would have
// to wait, so that acks are prompt when idle and batched under load. On a fault it stops forward and goes on until
// nothing is in flight.
func (p *pump) settle(ctx context.Context, sink broker.Sink, stop context.CancelCauseFunc, forwarded <-chan struct{}) error {
	lost := sink.Lost()
	var fault error
	fail := func(err error) {
		if fault == nil {
			fault = err
			stop(err)
		}
	}
	for {
		e, ok := p.flight.front()
		if !ok {
			if err := p.ack(); err != nil {
				fail(err)
			}
			select {
			case <-forwarded:
				if p.flight.len() == 0 {
					return fault
				}
			case <-p.flight.pushed:
			case <-lost:
				lost = nil
				fail(&sinkError{broker.ErrLost})
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		err := e.confirm.Err()
		if err == broker.ErrPending { //nolint:errorlint // the sentinel itself, on the hot path
			if !p.await(ctx, e.confirm, fail) {
				return ctx.Err()
			}
			continue
		}
		p.flight.pop()
		switch {
		case err == nil:
			if err := p.good(e); err != nil {
				fail(err)
			}
		case errors.Is(err, broker.ErrRefused), errors.Is(err, broker.ErrUnroutable):
			p.gaps.Add(1)
			e.err = err
			e.attempts++
			p.refused = append(p.refused, e)
			fail(errStuck)
		default:
			p.gaps.Add(1)
			p.lost = append(p.lost, e)
			fail(&sinkError{err})
			// Closing settles every other confirm at once.
			_ = sink.Close()
		}
	}
}

// await waits for one confirm. Meanwhile it acks what is good.
func (p *pump) await(ctx context.Context, c broker.Confirm, fail func(error)) bool {
	var linger <-chan time.Time
	if p.last != nil {
		p.linger.Reset(ackDelay)
		linger = p.linger.C
	}
	select {
	case <-c.Done():
		return true
	case <-linger:
		if err := p.ack(); err != nil {
			fail(err)
		}
	case <-ctx.Done():
		return false
	}
	select {
	case <-c.Done():
		return true
	case <-ctx.Done():
		return false
	}
}

// good notes a confirmed message. It is acked alone if a cumulative ack would also settle one that was passed over.
func (p *pump) good(e entry) error {
	p.board.confirmed.Add(1)
	p.board.bytesConfirmed.Add(int64(len(e.m.Body)))
	p.lag.add(time.Since(e.sent), len(e.m.Body))
	switch {
	case p.spec.AckMode == NoAck:
		return nil
	case p.gaps.Load() > 0:
		if err := p.ack(); err != nil {
			return err
		}
		if err := p.source.Settle(e.m, broker.Acked); err != nil {
			return &sourceError{err}
		}
		return nil
	}
	p.last = e.m
	p.unacked++
	if 2*p.unacked >= int(p.board.window.Load()) {
		return p.ack()
	}
	return nil
}

// ack settles all that is good so far.
func (p *pump) ack() error {
	if p.last == nil {
		return nil
	}
	m := p.last
	p.last, p.unacked = nil, 0
	if err := p.source.Ack(m); err != nil {
		return &sourceError{err}
	}
	return nil
}

// unresolved takes what a round left behind and is to be sent again, in the order it was received.
func (p *pump) unresolved() []entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	carry := slices.Concat(p.lost, p.parked, p.unsent)
	slices.SortFunc(carry, func(a, b entry) int { return int(int64(a.seq) - int64(b.seq)) })
	p.gaps.Add(-int64(len(p.lost) + len(p.parked)))
	p.lost, p.parked, p.unsent = nil, nil, nil
	p.board.held.Store(0)
	return carry
}

// sourceError and sinkError tell whose session a fault ends.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "source: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

type sinkError struct{ err error }

func (e *sinkError) Error() string { return "destination: " + e.err.Error() }
func (e *sinkError) Unwrap() error { return e.err }
