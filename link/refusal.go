package link

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"weir/broker"
)

// refusals are the back-off between tries of a message that the destination will not take.
type refusals struct {
	retry *Backoff
	seq   uint64 // the message it is about
}

// settleRefused does what the Recourse says with the oldest refused messages that have had all their attempts.
func (s *session) settleRefused() error {
	for {
		i := s.pump.oldestRefused()
		if i < 0 {
			return nil
		}
		e := &s.pump.held[i]
		recourse := s.recourse(*e)
		if e.trouble.attempts < recourse.Attempts && !errors.Is(e.trouble.err, broker.ErrTooLarge) {
			return nil
		}
		if s.mayPass(e) {
			return nil
		}
		if err := s.resort(e, recourse); err != nil {
			return err
		}
		s.pump.held = slices.Delete(s.pump.held, i, i+1)
		s.board.held.Store(int64(len(s.pump.held)))
	}
}

// awaitRetry waits, with back-off, until the next round should send what has been refused, while newer messages wait.
func (s *session) awaitRetry() error {
	if err := s.settleRefused(); err != nil {
		return err
	}
	i := s.pump.oldestRefused()
	if i < 0 {
		return nil
	}
	e := s.pump.held[i]
	if s.refusals.seq != e.seq {
		s.refusals.seq = e.seq
		s.refusals.retry.Reset()
	}
	fault := fmt.Errorf("%w; newer messages wait, attempt %d of %d failed", e.trouble.err, e.trouble.attempts, s.recourse(e).Attempts)
	if e.trouble.waits != "" {
		fault = fmt.Errorf("%w; newer messages wait, and attempts do not count while %s", e.trouble.err, e.trouble.waits)
	}
	if !s.standBack(s.soft, Retrying, fault, s.refusals.retry.Next(), s.refusals.retry.Faults()) {
		return fmt.Errorf("stopped while retrying a message: %w", e.trouble.err)
	}
	return nil
}

// mayPass tells whether the destination may take e once it is whole again; if so, its attempts begin anew.
func (s *session) mayPass(e *entry) bool {
	if errors.Is(e.trouble.err, broker.ErrTooLarge) {
		return false
	}
	e.trouble.waits = broker.MayPass(s.hard, e.trouble.err)
	if e.trouble.waits != "" {
		e.trouble.attempts = 0
	}
	return e.trouble.waits != ""
}

// oldestRefused is its index among what is held, -1 if there is none.
func (p *pump) oldestRefused() int { return slices.IndexFunc(p.held, entry.isRefused) }

func (s *session) recourse(e entry) Recourse {
	if errors.Is(e.trouble.err, broker.ErrUnroutable) {
		return s.spec.OnUnroutable
	}
	return s.spec.OnRefused
}

// resort is what is done after the last attempt.
func (s *session) resort(e *entry, r Recourse) error {
	log := s.log.With("error", e.trouble.err, "attempts", e.trouble.attempts, "message-id", e.m.Properties.MessageID,
		"exchange", e.m.Exchange, "routing-key", e.m.RoutingKey)
	how, outcome := broker.Acked, Dropped
	switch r.Then {
	case Drop:
		log.Warn("message dropped")
		s.board.dropped.Add(1)
	case Reject:
		log.Warn("message rejected, its queue dead-letters it")
		s.board.rejected.Add(1)
		how, outcome = broker.Rejected, Rejected
	case DeadLetter:
		err := s.deadLetter(e.m, r.DeadLetter)
		switch {
		case s.hard.Err() != nil:
			return err // the link is to stop: that says nothing about the destination
		case err != nil:
			return &pausedError{fmt.Sprintf("%v; and its dead-letter destination, %s: %v", e.trouble.err, r.DeadLetter, err)}
		}
		log.Warn("message dead-lettered", "dead-letter", r.DeadLetter.String())
		s.board.deadLettered.Add(1)
		outcome = DeadLettered
	default:
		return &pausedError{fmt.Sprintf("message %q to exchange %q, routing key %q: %v (attempts: %d)",
			e.m.Properties.MessageID, e.m.Exchange, e.m.RoutingKey, e.trouble.err, e.trouble.attempts)}
	}
	return s.pump.release(e, how, outcome)
}

// deadLetter publishes m to its last resort and waits until that has it.
func (s *session) deadLetter(m *broker.Message, to Destination) error {
	ctx, cancel := context.WithTimeout(s.hard, openTimeout)
	defer cancel()
	sink, err := to.OpenSink(ctx, broker.SinkOptions{Link: s.spec.Name, Site: s.spec.Site})
	if err != nil {
		return err
	}
	defer func() { _ = sink.Close() }()
	confirm, err := sink.Send(ctx, m)
	if err != nil {
		return err
	}
	select {
	case <-confirm.Done():
		return confirm.Err()
	case <-ctx.Done():
		return fmt.Errorf("not confirmed: %w", ctx.Err())
	}
}
