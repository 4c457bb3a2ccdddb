package link

import (
	"errors"
	"time"

	"weir/broker"
)

// ackDelay is how long acks are gathered while the next confirm is awaited: short enough to be prompt, long enough for
// the confirms of one batch, which arrive together but are handed over one by one, to be acked together.
const ackDelay = time.Millisecond

// acksPerWindow is how many acks a window is settled in at least: what is confirmed and not acked takes up room in it.
const acksPerWindow = 8

// settle takes what is in flight in order, waits for each confirm, and acks the last good one, so that acks are prompt
// when idle and batched under load. A fault halts the flow; settle goes on until nothing is in flight, and returns the
// first one.
func (r *round) settle(forwarded <-chan struct{}) error {
	lost := r.sink.Lost()
	var fault error
	note := func(err error) {
		if err != nil && fault == nil {
			fault = err
			r.halt(err)
		}
	}
	for {
		e, ok := r.flight.front()
		if !ok {
			note(r.ack())
			select {
			case <-r.flight.pushed:
			case <-forwarded:
				if r.flight.len() == 0 {
					return fault
				}
			case <-lost:
				lost = nil
				note(&sinkError{broker.ErrLost})
			case <-r.ctx.Done():
				return r.ctx.Err()
			}
			continue
		}
		answer := e.confirm.Err()
		if answer == broker.ErrPending { //nolint:errorlint // the sentinel itself, on the hot path
			select {
			case <-e.confirm.Done():
			case <-r.linger.C:
				note(r.ack())
			case <-r.ctx.Done():
				return r.ctx.Err()
			}
			continue
		}
		note(r.resolve(e, answer))
		r.flight.pop() // only now: landed relies on the fault's having been noted
	}
}

// resolve does what one answer asks for.
func (r *round) resolve(e entry, answer error) error {
	e.answered(answer)
	if o := r.outcome(&e, answer); o != "" {
		return r.finish(e, o)
	}
	switch {
	case errors.Is(answer, broker.ErrUnroutable):
		r.board.unroutable.Add(1)
	case errors.Is(answer, broker.ErrRefused):
		r.board.refused.Add(1)
	default:
		r.failed = append(r.failed, e)
		_ = r.sink.Close() // settles every other confirm at once
		return &sinkError{answer}
	}
	e.refused(answer)
	r.failed = append(r.failed, e)
	return errStuck
}

// outcome counts an answer after which nothing is left to be done for a message but to ack it: the destination has it or
// does not want it, or it is dropped at its first refusal. Empty: more is left.
func (r *round) outcome(e *entry, answer error) Outcome {
	switch {
	case e.heartbeat:
		return Filtered
	case answer == nil:
		r.board.confirmed.Add(1)
		r.board.bytesConfirmed.Add(int64(len(e.m.Body)))
		return Forwarded
	case errors.Is(answer, broker.ErrUnwanted):
		r.board.filtered.Add(1)
		return Filtered
	case errors.Is(answer, broker.ErrUnroutable) && r.spec.OnUnroutable.dropsAtOnce():
		r.board.unroutable.Add(1)
		r.board.dropped.Add(1)
		return Dropped
	case errors.Is(answer, broker.ErrRefused) && r.spec.OnRefused.dropsAtOnce():
		r.board.refused.Add(1)
		r.board.dropped.Add(1)
		return Dropped
	}
	return ""
}

// finish acks a message that is over: alone where a cumulative ack would also settle one that was passed over.
func (r *round) finish(e entry, o Outcome) error {
	took := time.Since(e.sent)
	if !e.heartbeat {
		r.meter.answer(took)
	}
	if o == Forwarded {
		r.board.confirms.observe(took)
		if e.stored != 0 {
			r.board.transits.observe(max(0, time.Duration(e.sent.UnixNano()-e.stored)+took))
		}
	}
	passedOver := r.retry || len(r.failed) > 0 || r.stranded.Load() > 0
	if e.heartbeat && !passedOver {
		r.heard(e.m)
	}
	if r.spec.AckMode == NoAck {
		e.ended(o)
		return nil
	}
	if passedOver {
		if err := r.ack(); err != nil {
			e.ended(Returned)
			return err
		}
		return r.release(&e, broker.Acked, o)
	}
	if e.trail != nil {
		r.endings = append(r.endings, settlement{e.trail, o})
	}
	if r.last == nil {
		r.linger.Reset(ackDelay)
	}
	r.last = e.m
	if e.heartbeat {
		return nil // the next ack settles it, and does not count it
	}
	r.unacked++
	if acksPerWindow*r.unacked >= int(r.board.window.Load()) {
		return r.ack()
	}
	return nil
}

// ack settles all that is good so far.
func (r *round) ack() error {
	if r.last == nil {
		return nil
	}
	m, n := r.last, r.unacked
	r.last, r.unacked = nil, 0
	err := r.source.Ack(m)
	for _, s := range r.endings {
		if err != nil {
			s.outcome = Returned
		}
		s.trail.Ended(s.outcome)
	}
	r.endings = r.endings[:0]
	if err != nil {
		return &sourceError{err}
	}
	r.board.settled.Add(int64(n))
	return nil
}

// sweep empties what is still in flight when settle had to end early: what is over by now is acked, the rest is held.
func (r *round) sweep() error {
	var first error
	for {
		e, ok := r.flight.front()
		if !ok {
			break
		}
		r.flight.pop()
		answer := e.confirm.Err()
		e.answered(answer)
		if o := r.outcome(&e, answer); o == "" {
			r.failed = append(r.failed, e)
		} else if err := r.finish(e, o); err != nil && first == nil {
			first = err
		}
	}
	if err := r.ack(); err != nil && first == nil {
		first = err
	}
	return first
}
