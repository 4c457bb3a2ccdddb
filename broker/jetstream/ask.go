package jetstream

import (
	"fmt"

	"weir/broker"
)

// doubted adds a message that only the server can say something about, and has ask run. The caller holds mu.
func (s *Sink) doubted(d doubt) {
	s.number++
	d.number = s.number
	s.doubts = append(s.doubts, d)
	if !s.busy {
		s.busy = true
		s.asking.Go(s.ask)
	}
}

// ask settles doubts in their order until there are none. What one inquiry has found out is good for all messages that
// had been sent when it began.
func (s *Sink) ask() {
	var q *inquiry
	var last uint64 // message that q is good for
	for {
		s.mu.Lock()
		if len(s.doubts) == 0 {
			s.busy = false
			s.mu.Unlock()
			return
		}
		d := s.doubts[0]
		if d.number > last {
			q, last = s.b.inquire(), s.number
		}
		to := s.routes.to(d.subject)
		s.mu.Unlock()
		if err := s.askOne(q, d, to); err != nil {
			s.fail(err)
		}
	}
}

// askOne settles the first doubt.
func (s *Sink) askOne(q *inquiry, d doubt, to *route) error {
	if to == nil || d.m == nil {
		info, err := q.stream(s.ctx, d.subject)
		switch {
		case err != nil:
			return err
		case info == nil:
			return s.settleFirst(func() error { d.answer.Settle(errNoStream); return nil })
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

// settleFirst does something about the first doubt, which then is none any more, and publishes those behind it that were
// only waiting for it. The next Send then finds none, and need not wait in turn.
func (s *Sink) settleFirst(settle func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer notify(s.room)
	if s.err != nil {
		return s.err
	}
	s.doubts = s.doubts[1:]
	err := settle()
	for err == nil && len(s.doubts) > 0 && s.doubts[0].m != nil {
		d := s.doubts[0]
		to := s.routes.open(d.subject)
		if to == nil {
			break
		}
		s.doubts = s.doubts[1:]
		err = s.publish(d, to)
	}
	if len(s.doubts) == 0 {
		s.doubts = nil
	}
	return err
}
