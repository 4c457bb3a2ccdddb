package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// turn is the right to receive from a buffer with x-single-active-consumer, which one session at a time has, by a lock.
// The others stand by.
//
// Whoever gets it has what the one before left unsettled delivered again first, so that the order is kept. An owner that
// was frozen finds its lease over before it looks at anything else, and no request of its own is still at the server:
// none waits there for as long as a lease lasts.
type turn struct {
	held    context.Context
	release func()
}

const (
	turnWait  = lockTrust * 5 / 8      // pull requests of a source that has turns wait no longer
	turnCheck = 100 * time.Millisecond // between two looks at the requests of the one before
)

// Standby implements broker.Standing.
func (s *Source) Standby(context.Context) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.standing, s.err
}

// stand waits for the turn of the session, and begins to receive.
func (s *Source) stand() {
	held, release, err := s.b.Lock(s.ctx, "receive "+s.at.key())
	if err != nil {
		_ = s.fail(err)
		return
	}
	s.mu.Lock()
	s.turn = &turn{held, release}
	s.mu.Unlock()
	context.AfterFunc(held, func() { _ = s.fail(context.Cause(held)) })
	if err := s.succeed(held); err != nil {
		_ = s.fail(err)
		return
	}
	s.log.Debug("receives, after standing by")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing = false
	s.refill()
}

// over reports whether the session has had its turn and lost it. The caller holds mu.
func (s *Source) over() bool { return s.turn != nil && s.turn.held.Err() != nil }

// succeed takes over what another session has left: first its requests must be gone, or they would get messages that
// nobody reads, and then all it has not settled is put back to where it was.
func (s *Source) succeed(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	ticker := time.NewTicker(turnCheck)
	defer ticker.Stop()
	var unsettled int
	for end := time.Now().Add(turnWait + requestGrace); ; {
		info, err := s.look(ctx)
		if err != nil {
			return err
		}
		if unsettled = info.NumAckPending; info.NumWaiting == 0 || time.Now().After(end) {
			break
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	rest := s.b.leftovers.take(s.at.key(), s.at.ackWait)
	if unsettled == 0 {
		return nil
	}
	err := s.b.reset(ctx, s.at)
	if errors.Is(err, nats.ErrNoResponders) { // a server before 2.14
		s.log.Warn("what the gateway before this one has left unsettled comes after newer messages, within the ack wait: the server cannot reset a consumer (NATS 2.14 can)",
			"messages", unsettled, "ack-wait", s.at.ackWait)
		return giveBack(s.conn.nats, rest)
	}
	return err
}

// reset has a consumer deliver everything again that it has delivered and that is not settled.
func (b *Broker) reset(ctx context.Context, at place) error {
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := b.request(ctx, "CONSUMER.RESET."+at.stream+"."+at.consumer, struct{}{}, &answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return fmt.Errorf("reset consumer %s of stream %s: %w", at.consumer, at.stream, classify(answer.Error))
	}
	return nil
}
