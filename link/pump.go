package link

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"weir/broker"
)

// Why a round ended, beside a lost source or sink.
var (
	errDrained = errors.New("the source has nothing left")
	errStuck   = errors.New("a message was refused")
	errRetried = errors.New("what was refused has been taken")
	errTryHeld = errors.New("time to try what has nowhere to go")
	errNoPlace = errors.New("nothing can be taken until what is held has somewhere to go")
)

// pump moves messages from one open source to one open sink after another. Work is done in rounds; a fault ends a round,
// and what is then unresolved is held, in order, for the next. So a fault at the sink gives nothing back.
//
//	source ─ Receive ─► forward ─ Send ─► sink
//	   ▲                   │ flight (in order)
//	   └────── Ack ─── settle ◄── Confirm ┘
type pump struct {
	spec    *Spec
	source  broker.Source
	node    string // of source
	board   *board
	flight  *flight
	limiter *rate.Limiter // nil: no limit
	meter   meter

	seq  uint64  // of the last message received
	left int64   // how many may still be received, if spec.DeleteAfter is set
	held []entry // between rounds: what is to be sent again, in order of receipt
}

func newPump(spec *Spec, source broker.Source, b *board) *pump {
	p := &pump{spec: spec, source: source, node: broker.NodeOf(source), board: b, flight: b.inFlight}
	if spec.RateLimit > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(spec.RateLimit), max(1, int(spec.RateLimit/10)))
	}
	return p
}

// round is a stretch of pumping between two faults: what forward, settle and watch share.
type round struct {
	*pump
	sink  broker.Sink
	again []entry // sent before anything is received
	care  bool    // again is sent in small batches: a message among it is suspected, or was refused
	retry bool    // again was refused before, and nothing else is sent in this round

	ctx  context.Context // ends when draining has taken too long
	flow context.Context // ends when nothing more is to be sent; its cause tells why
	halt context.CancelCauseFunc

	// forward's own
	passed    bool         // again has been sent and, with care, answered
	unsent    []entry      // not sent when flow ended
	parked    []entry      // nowhere to go
	stranded  atomic.Int64 // how many
	throttled atomic.Bool  // forward sends a message that the rate limit holds up
	blocked   atomic.Value // string: why forward waits for the broker, empty if it does not

	// settle's own
	last    *broker.Message // the last good one, not acked yet
	unacked int             // how many an ack of last would settle
	endings []settlement    // of those of them that somebody follows
	linger  *time.Timer     // when last is to be acked at the latest
	failed  []entry         // lost or refused

	// watch's own
	givenUp error // why it closed the sink
}

// begin starts a round with what is held. Messages that were refused go first, alone. suspicious: one of the others may
// be what the last sinks were lost by.
func (p *pump) begin(ctx context.Context, sink broker.Sink, suspicious bool) *round {
	r := &round{pump: p, sink: sink, ctx: ctx, care: suspicious, linger: time.NewTimer(ackDelay)}
	r.flow, r.halt = context.WithCancelCause(ctx)
	if p.oldestRefused() >= 0 {
		r.retry, r.care = true, true
	}
	var rest []entry
	for _, e := range p.held {
		if r.retry && !e.isRefused() {
			rest = append(rest, e)
		} else {
			r.again = append(r.again, e)
		}
	}
	p.held = rest
	p.board.held.Store(int64(len(rest)))
	return r
}

// run forwards and settles until the source is drained or enough was taken, the sink or the source is lost, a message is
// refused, flow is halted (its cause), or ctx ends. When it returns nothing is in flight.
func (r *round) run() error {
	defer r.halt(nil)
	defer r.linger.Stop()
	forwarded := make(chan struct{})
	var forwardErr error
	go func() {
		defer close(forwarded)
		forwardErr = guard(r.forward)
		if _, lost := errors.AsType[*sinkError](forwardErr); lost {
			_ = guard(r.sink.Close) // settles every pending confirm
		}
	}()
	settleErr := guard(func() error { return r.settle(forwarded) })
	r.halt(settleErr)
	<-forwarded
	sweepErr := guard(r.sweep)
	r.hold()
	return cmp.Or(settleErr, forwardErr, sweepErr)
}

// hold keeps what is unresolved for the next round.
func (r *round) hold() {
	r.held = slices.Concat(r.held, r.failed, r.parked, r.unsent)
	slices.SortFunc(r.held, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
	r.board.held.Store(int64(len(r.held)))
}

// receive waits for the next message.
func (p *pump) receive(ctx context.Context) (entry, error) {
	m, err := p.source.Receive(ctx)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return entry{}, context.Cause(ctx)
	case err == io.EOF: //nolint:errorlint // a lost session may well wrap the EOF of its connection
		return entry{}, errDrained
	default:
		return entry{}, &sourceError{err}
	}
	p.seq++
	e := entry{m: m, seq: p.seq, sent: time.Now(), heartbeat: isHeartbeat(m)}
	if p.spec.AckMode == NoAck {
		if err := p.settleAtSource(&e, broker.Acked); err != nil {
			return entry{}, err
		}
	}
	if e.heartbeat {
		p.board.heartbeats.Add(1)
		return e, nil
	}
	p.board.received.Add(1)
	p.meter.receive(len(m.Body))
	p.left--
	if stored, _ := StoredAt(m); !stored.IsZero() {
		e.stored = stored.UnixNano()
		p.board.waits.observe(max(0, time.Duration(e.sent.UnixNano()-e.stored)))
	}
	if p.spec.Observe != nil {
		e.trail = p.spec.Observe(m, p.node)
	}
	return e, nil
}

// probe finds out whether a stopped source has anything left: errDrained if it has not and nothing is held.
func (p *pump) probe(ctx context.Context) error {
	if len(p.held) > 0 {
		return nil
	}
	e, err := p.receive(ctx)
	if err == nil {
		p.held = append(p.held, e)
		p.board.held.Store(1)
	}
	return err
}

// release settles one message at the source, unless it was acked when it was received. o is what has become of it.
func (p *pump) release(e *entry, how broker.Settlement, o Outcome) error {
	var err error
	if p.spec.AckMode != NoAck {
		err = p.settleAtSource(e, how)
	}
	if err != nil {
		o = Returned
	}
	e.ended(o)
	return err
}

// abandon ends the trails of what is held when the session ends.
func (p *pump) abandon() {
	o := Returned
	if p.spec.AckMode == NoAck {
		o = Lost
	}
	for i := range p.held {
		p.held[i].ended(o)
	}
}

func (p *pump) settleAtSource(e *entry, how broker.Settlement) error {
	if err := p.source.Settle(e.m, how); err != nil {
		return &sourceError{err}
	}
	if how != broker.Returned && !e.heartbeat {
		p.board.settled.Add(1)
	}
	return nil
}

// sourceError and sinkError tell whose session a fault ends.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "source: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

type sinkError struct{ err error }

func (e *sinkError) Error() string { return "destination: " + e.err.Error() }
func (e *sinkError) Unwrap() error { return e.err }
