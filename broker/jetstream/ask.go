package jetstream

import (
	"fmt"

	"weir/broker"
)

// inquire has ask run. The caller holds mu, and has added to doubts.
func (s *Sink) inquire() {
	if !s.busy && s.err == nil {
		s.busy = true
		s.asking.Go(s.ask)
	}
}

// ask settles doubts in their order, round by round, until there are none.
func (s *Sink) ask() {
	for {
		s.mu.Lock()
		round := len(s.doubts)
		s.busy = round > 0
		s.mu.Unlock()
		if round == 0 {
			return
		}
		q := s.b.inquire() // after the messages of this round have been sent
		for range round {
			if err := s.askFirst(q); err != nil {
				s.fail(err)
				break
			}
		}
	}
}

// askFirst settles the first doubt.
func (s *Sink) askFirst(q *inquiry) error {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return s.err
	}
	d := s.doubts[0]
	to := s.routes.to(d.subject)
	s.mu.Unlock()

	if to == nil || d.m == nil {
		info, err := q.stream(s.ctx, d.subject)
		switch {
		case err != nil:
			return err
		case info == nil:
			_ = s.settleFirst(func() error { d.answer.Settle(errNoStream); return nil })
			return nil
		case d.m == nil:
			return fmt.Errorf("stream %s stores %s, and has no leader", info.Config.Name, d.subject)
		}
		s.mu.Lock()
		to, err = s.routes.add(info)
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
	wanted, err := q.wanted(s.ctx, to, d.subject)
	if err != nil {
		return err
	}
	return s.settleFirst(func() error {
		if wanted {
			return s.publish(d, to)
		}
		d.answer.Settle(fmt.Errorf("no consumer of stream %s wants %s: %w", to.stream, d.subject, broker.ErrUnroutable))
		return nil
	})
}

// settleFirst does something about the first doubt, which then is none any more.
func (s *Sink) settleFirst(settle func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.doubts = s.doubts[1:]
	if len(s.doubts) == 0 {
		s.doubts = nil
	}
	notify(s.room)
	return settle()
}
