package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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
		select {
		case <-s.ctx.Done():
			return
		case <-s.doubt:
		case now := <-ticker.C:
			s.touch(now)
			s.expire(now)
		}
		if s.doubtful() && time.Since(checked) >= checkEvery {
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

// expire looks for requests that nobody has answered.
func (s *Source) expire(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests.lost(now, s.heard) {
		s.doubted(errors.New("no answer"))
	}
	s.refill()
}

// doubtful reports whether the consumer is in doubt.
func (s *Source) doubtful() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.suspect.IsZero()
}

// errReplaced: sequences that the session knows mean other messages now.
var errReplaced = errors.New("it has been deleted and made again")

// look reads the consumer. It fails if that is not the one, or not as, the session was opened on.
func (s *Source) look(ctx context.Context) (*jetstream.ConsumerInfo, error) {
	info, err := s.b.consumerInfo(ctx, s.at.stream, s.at.consumer)
	if err == nil {
		err = usable(info)
	}
	if err == nil && !info.Created.Equal(s.at.created) {
		err = errReplaced
	}
	return info, err
}

// check asks whether the consumer is still there, and as it was. If it is, the session goes on; if it cannot be asked
// (no leader, no quorum), later checks will.
func (s *Source) check() {
	ctx, cancel := context.WithTimeout(s.ctx, checkTimeout)
	defer cancel()
	_, err := s.look(ctx)
	s.mu.Lock()
	since := time.Since(s.suspect)
	if err == nil {
		s.suspect = time.Time{}
		s.refill()
	}
	s.mu.Unlock()
	switch {
	case err == nil:
	case errors.Is(err, broker.ErrNotFound), errors.Is(err, broker.ErrUnsupported), errors.Is(err, broker.ErrDenied), errors.Is(err, errReplaced):
		_ = s.fail(fmt.Errorf("consumer %s of stream %s: %w", s.at.consumer, s.at.stream, err))
	case since > suspectFor:
		_ = s.fail(fmt.Errorf("consumer %s of stream %s has not answered for %v: %w", s.at.consumer, s.at.stream, suspectFor, err))
	}
}
