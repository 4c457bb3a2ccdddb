package link

import (
	"context"
	"errors"
	"fmt"

	"weir/broker"
)

// treat sends each refused message again, alone and with back-off, while newer ones wait; after its attempts it does
// what the Recourse says.
func (s *session) treat() error {
	refused := s.pump.refused
	for i := range refused {
		if err := s.treatOne(&refused[i]); err != nil {
			return err
		}
		s.pump.gaps.Add(-1)
	}
	s.pump.refused = nil
	return nil
}

func (s *session) treatOne(e *entry) error {
	retry := newDelays(s.spec.Reconnect)
	for e.err != nil {
		recourse := s.count(e.err)
		if e.attempts >= recourse.Attempts || errors.Is(e.err, broker.ErrTooLarge) {
			return s.resort(e, recourse)
		}
		delay := retry.next()
		s.board.fault(e.err, delay)
		s.board.enter(Retrying, fmt.Sprintf("%v; newer messages wait, attempt %d of %d", e.err, e.attempts, recourse.Attempts))
		if !wait(s.soft, delay) {
			return fmt.Errorf("stopped while retrying a message: %w", e.err)
		}
		s.board.retries.Add(1)
		if err := s.again(e); err != nil {
			return err
		}
	}
	s.board.confirmed.Add(1)
	s.board.bytesConfirmed.Add(int64(len(e.m.Body)))
	return s.finish(e, broker.Acked)
}

// again sends e once more. A lost sink is replaced and the message sent through the next.
func (s *session) again(e *entry) error {
	for {
		confirm, err := s.sink.Send(s.hard, e.m)
		switch {
		case errors.Is(err, broker.ErrBlocked):
			if !unblocked(s.hard, s.sink) {
				return s.hard.Err()
			}
			continue
		case errors.Is(err, broker.ErrNowhere):
			e.err = err
			e.attempts++
			return nil
		case err == nil:
			err = s.answer(confirm)
		}
		switch {
		case err == nil:
			e.err = nil
			return nil
		case errors.Is(err, broker.ErrRefused), errors.Is(err, broker.ErrUnroutable):
			e.err = err
			e.attempts++
			return nil
		}
		if err := s.replaceSink(err); err != nil {
			return err
		}
	}
}

// answer waits for one confirm.
func (s *session) answer(c broker.Confirm) error {
	ctx, cancel := context.WithTimeout(s.hard, s.spec.ConfirmTimeout)
	defer cancel()
	select {
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		return fmt.Errorf("no confirm within %s: %w", s.spec.ConfirmTimeout, broker.ErrLost)
	}
}

// count notes a refusal and says what applies to it.
func (s *session) count(refusal error) Recourse {
	if errors.Is(refusal, broker.ErrUnroutable) || errors.Is(refusal, broker.ErrNowhere) {
		s.board.unroutable.Add(1)
		return s.spec.OnUnroutable
	}
	s.board.refused.Add(1)
	return s.spec.OnRefused
}

// resort is what is done after the last attempt.
func (s *session) resort(e *entry, r Recourse) error {
	log := s.log.With("error", e.err, "attempts", e.attempts, "message-id", e.m.Properties.MessageID,
		"exchange", e.m.Exchange, "routing-key", e.m.RoutingKey)
	switch r.Then {
	case Drop:
		log.Warn("message dropped")
		s.board.dropped.Add(1)
		return s.finish(e, broker.Acked)
	case Reject:
		log.Warn("message rejected, its queue dead-letters it")
		s.board.rejected.Add(1)
		return s.finish(e, broker.Rejected)
	case DeadLetter:
		if err := s.deadLetter(e.m, r.DeadLetter); err != nil {
			return &pausedError{fmt.Sprintf("%v; and its dead-letter destination: %v", e.err, err)}
		}
		log.Warn("message dead-lettered", "dead-letter", r.DeadLetter.String())
		s.board.deadLettered.Add(1)
		return s.finish(e, broker.Acked)
	}
	return &pausedError{fmt.Sprintf("message %q to exchange %q, routing key %q: %v, %d times",
		e.m.Properties.MessageID, e.m.Exchange, e.m.RoutingKey, e.err, e.attempts)}
}

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
	return s.answer(confirm)
}

func (s *session) finish(e *entry, how broker.Settlement) error {
	if err := s.source.Settle(e.m, how); err != nil {
		return &sourceError{err}
	}
	return nil
}
