package link

import (
	"context"
	"errors"
	"time"

	"weir/broker"
)

// forward sends what is held from before, then receives and sends. It returns why it has ended; what it had to leave is
// in unsent.
func (r *round) forward() error {
	if err := r.resend(); err != nil {
		return err
	}
	if r.retry {
		return errRetried // what is held besides goes next
	}
	for {
		if err := r.mayReceive(); err != nil {
			return err
		}
		e, err := r.receive(r.flow)
		if err != nil {
			return err
		}
		if err := r.send(e); err != nil {
			r.unsent = append(r.unsent, e)
			return err
		}
	}
}

// resend sends what is held from before: all at once, or with care in batches that begin with one message and double
// once a batch has landed. Of a batch of one, the answer is known to be about it.
func (r *round) resend() error {
	batch := len(r.again)
	if r.care {
		batch = 1
	}
	for left := r.again; len(left) > 0; batch *= 2 {
		for range min(batch, len(left)) {
			left[0].sent = time.Now()
			if err := r.send(left[0]); err != nil {
				r.unsent = left
				return err
			}
			left = left[1:]
		}
		if r.care && !r.landed() {
			r.unsent = left
			return context.Cause(r.flow)
		}
	}
	r.passed = true
	return nil
}

// mayReceive is nil if another message may be received.
func (r *round) mayReceive() error {
	taken := r.spec.DeleteAfter != 0 && r.left <= 0
	// The source's window bounds what is unsettled; without acks, nothing else bounds what is parked.
	full := r.spec.AckMode == NoAck && int64(len(r.parked)) >= r.board.window.Load()
	switch {
	case (taken || full) && len(r.parked) > 0:
		return errNoPlace
	case taken:
		return errTaken
	}
	return nil
}

// send hands one message to the sink, waiting while the broker or the rate limit asks to.
func (r *round) send(e entry) error {
	if e.heartbeat {
		r.swallow(e)
		return nil
	}
	if r.limiter != nil {
		r.throttled.Store(true)
		defer r.throttled.Store(false) // once it shows in the flight
		if err := r.limiter.Wait(r.flow); err != nil {
			return context.Cause(r.flow)
		}
		e.sent = time.Now()
	}
	if e.isRefused() {
		r.board.retries.Add(1)
	}
	e.sending()
	for {
		confirm, err := r.sink.Send(r.flow, e.m)
		switch {
		case err == nil:
			e.confirm = confirm
			e.sentTo(r.sink, r.spec.Destination)
			r.flight.push(e)
			return nil
		case errors.Is(err, broker.ErrNowhere):
			e.answered(err)
			r.park(e, err)
			return nil
		case errors.Is(err, broker.ErrBlocked):
			r.blocked.Store(err.Error())
			goOn := r.unblocked()
			r.blocked.Store("")
			if !goOn {
				return context.Cause(r.flow)
			}
			e.sent = time.Now()
		case r.flow.Err() != nil:
			return context.Cause(r.flow)
		default:
			e.answered(err)
			return &sinkError{err}
		}
	}
}

// park keeps a message that has nowhere to go, and lets others pass.
func (r *round) park(e entry, why error) {
	e.strand(why)
	r.stranded.Add(1) // before anything newer is sent
	r.parked = append(r.parked, e)
	r.board.strand(why)
}

// blockedPoll is how soon to try again where a sink does not tell when it is no longer blocked.
const blockedPoll = 100 * time.Millisecond

// unblocked waits until the broker lets publishers go on; false if flow ended first.
func (r *round) unblocked() bool {
	b, ok := r.sink.(broker.Blocker)
	if !ok {
		return wait(r.flow, blockedPoll)
	}
	reason, changed := b.Blocked()
	if reason == "" { // just now; but a sink that always says so must not keep us busy
		return wait(r.flow, blockedPoll)
	}
	select {
	case <-changed:
		return true
	case <-r.sink.Lost():
		return true // Send says so
	case <-r.flow.Done():
		return false
	}
}

// landed waits until nothing is in flight; false if flow ended.
func (r *round) landed() bool {
	for r.flight.len() > 0 {
		select {
		case <-r.flight.emptied:
		case <-r.flow.Done():
			return false
		}
	}
	return r.flow.Err() == nil
}
