package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/broker"
)

const (
	checkTimeout = 5 * time.Second
	checkEvery   = time.Second
	suspectFor   = 30 * time.Second // a consumer that has not answered for so long is gone
)

// keep runs beside the session until it is over.
func (s *Source) keep() {
	ticker := time.NewTicker(max(50*time.Millisecond, min(s.at.ackWait/4, time.Second)))
	defer ticker.Stop()
	var checked time.Time
	for {
		suspect := true
		select {
		case <-s.ctx.Done():
			return
		case <-s.doubt:
		case now := <-ticker.C:
			s.touch(now)
			suspect = s.expire(now)
		}
		if suspect && time.Since(checked) >= checkEvery {
			s.check()
			checked = time.Now()
		}
	}
}

// touch tells the broker of what has been held for half its ack wait that it is still being worked on.
func (s *Source) touch(now time.Time) {
	s.mu.Lock()
	replies := s.held.untouched(now, s.at.ackWait/2, nil)
	s.mu.Unlock()
	for _, reply := range replies {
		if s.conn.nats.Publish(reply, []byte("+WPI")) != nil {
			return // the connection is lost, and tells
		}
	}
}

// expire reports whether the consumer is in doubt.
func (s *Source) expire(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests.lost(now, s.heard) {
		s.doubted(errors.New("no answer"))
	}
	s.refill()
	return !s.suspect.IsZero()
}

// check asks whether the consumer is still there, and as it was. If it is, the session goes on; if it cannot be asked
// (no leader, no quorum), later checks will.
func (s *Source) check() {
	ctx, cancel := context.WithTimeout(s.ctx, checkTimeout)
	defer cancel()
	info, err := s.b.consumerInfo(ctx, s.at.stream, s.at.consumer)
	if err == nil {
		err = usable(info)
	}
	s.mu.Lock()
	since := time.Since(s.suspect)
	if err == nil {
		s.suspect = time.Time{}
		s.refill()
	}
	s.mu.Unlock()
	switch {
	case err == nil:
	case errors.Is(err, broker.ErrNotFound), errors.Is(err, broker.ErrUnsupported), errors.Is(err, broker.ErrDenied):
		_ = s.fail(fmt.Errorf("consumer %s of stream %s: %w", s.at.consumer, s.at.stream, err))
	case since > suspectFor:
		_ = s.fail(fmt.Errorf("consumer %s of stream %s has not answered for %v: %w", s.at.consumer, s.at.stream, suspectFor, err))
	}
}
