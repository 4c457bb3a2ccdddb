package jetstream

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// stopWait is longer than any request waits that was made while messages came.
	stopWait = 2 * time.Second
	// closeWait bounds each step of Close that waits for the server.
	closeWait = 2 * time.Second
	// overtakeWait is how long Close waits for messages that may be on their way.
	overtakeWait = 500 * time.Millisecond
)

// Stop implements broker.Source. A pull request cannot be called back: the server may hold a message for it already,
// which would be lost to sight until its ack wait is over. So Stop waits until the requests have ended by themselves.
// It gives up its interest before, which ends them too, only where no message is on its way: none has come for quiet.
func (s *Source) Stop(ctx context.Context) error {
	timer := time.NewTimer(stopWait)
	defer timer.Stop()
	for !s.quiesced() {
		select {
		case <-s.settled:
			continue
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		break
	}
	s.unsubscribe()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drained = true
	notify(s.wake)
	return s.err
}

// quiesced ends new requests, and reports whether nothing is on its way.
func (s *Source) quiesced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	return s.requests.asked == 0 || time.Since(s.heard) > quiet || s.err != nil
}

// unsubscribe ends the subscription. What the server has sent until then has been taken when it returns.
func (s *Source) unsubscribe() {
	if s.sub.Drain() == nil {
		timer := time.NewTimer(closeWait)
		defer timer.Stop()
		select {
		case <-s.ended:
		case <-timer.C:
		}
	}
	_ = s.sub.Unsubscribe() // for a server that does not answer; otherwise it has been done
	<-s.ended
}

// Close implements broker.Source.
func (s *Source) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed, s.stopping = true, true
	s.mu.Unlock()
	_ = s.fail(errSourceClosed)
	s.stop()
	s.keeping.Wait()
	s.overtake()
	for _, sub := range []*nats.Subscription{s.changes[0], s.changes[1], s.pulls} {
		if sub != nil {
			_ = sub.Unsubscribe()
		}
	}
	s.unsubscribe()
	s.mu.Lock()
	rest := s.held.rest()
	if s.over() { // another has them now
		rest = nil
	}
	turn := s.turn
	s.mu.Unlock()
	if err := s.giveBack(rest); err != nil && !isNotFound(err) {
		s.b.leftovers.keep(s.at.key(), rest)
	}
	if turn != nil {
		turn.release()
	}
	s.b.receiving.release(s.conn)
	s.b.forget(s)
	return nil
}

// overtake waits a moment for what the server has chosen for the session and not sent yet: a replicated consumer sends a
// message once its replicas know of that. What comes after the end of the subscription is out of sight until its ack wait
// is over.
func (s *Source) overtake() {
	s.mu.Lock()
	idle := len(s.requests.open) == 0
	held := s.held.first()
	s.mu.Unlock()
	if idle {
		return
	}
	s.agree(held)
	ctx, cancel := context.WithTimeout(s.b.ctx, closeWait)
	defer cancel()
	var chosen uint64
	var more bool // messages that open requests are about to get
	err := s.conn.call(ctx, s.at.stream, func(ctx context.Context) error {
		c, err := s.conn.js.Consumer(ctx, s.at.stream, s.at.consumer)
		if err == nil {
			chosen, more = c.CachedInfo().Delivered.Consumer, c.CachedInfo().NumPending > 0
		}
		return err
	})
	if err != nil {
		return
	}
	timer := time.NewTimer(overtakeWait) // others may get them
	defer timer.Stop()
	for s.seen() < chosen || more && s.expects() {
		select {
		case <-s.wake:
		case <-s.conn.lost:
			return
		case <-timer.C:
			return
		}
	}
}

// agree waits until the server that leads the consumer has got all that was sent to it before: requests, acks, and the end
// of a subscription. They go the same way as word that a message is being worked on, which it answers. held is where such
// a message is settled; without one nothing is waited for.
func (s *Source) agree(held string) {
	if held != "" {
		_, _ = s.conn.nats.Request(held, []byte("+WPI"), closeWait) // without an answer it may know all the same
	}
}

// seen is the number of the last delivery that has arrived, among all of the consumer.
func (s *Source) seen() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := parseReply(s.newest); ok {
		return d.consumer
	}
	return s.before
}

// expects reports whether open requests may still get something.
func (s *Source) expects() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests.asked > 0
}

// giveBack returns to the consumer what is unsettled. The consumer is read first, also if that is nothing: that has the
// server drop the requests which nobody waits for any more. What these were to get would be put behind the rest, or be
// out of sight until its ack wait is over.
func (s *Source) giveBack(rest []delivery) error {
	if len(rest) > 0 {
		s.agree(rest[0].reply) // that our interest has ended
	}
	ctx, cancel := context.WithTimeout(s.b.ctx, closeWait)
	defer cancel()
	err := s.conn.call(ctx, s.at.stream, func(ctx context.Context) error {
		c, err := s.conn.js.Consumer(ctx, s.at.stream, s.at.consumer)
		if err == nil && len(rest) > 0 {
			s.b.returned.add(s.at.key(), c.CachedInfo(), len(rest))
		}
		return err
	})
	if err != nil {
		return err
	}
	return giveBack(s.conn.nats, rest)
}

// giveBack returns messages to their consumer, to be delivered at once and in this order. When it returns, the server
// has done so: the next session must not get newer ones first.
func giveBack(nc *nats.Conn, rest []delivery) error {
	for i, d := range rest {
		if i < len(rest)-1 {
			if err := nc.Publish(d.reply, []byte("-NAK")); err != nil {
				return err
			}
			continue
		}
		_, err := nc.Request(d.reply, []byte("-NAK"), closeWait)
		return err
	}
	return nc.FlushTimeout(closeWait) // acks have reached the server
}
