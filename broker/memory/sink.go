package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/broker"
)

// sink implements broker.Sink and broker.Blocker.
type sink struct {
	b           *Broker
	at          broker.Address
	unconfirmed bool

	transit []*sending // on the way, while there is latency; by due
	timer   *time.Timer
	held    []*sending // stored or refused, the answer kept back
	err     error      // why the session is over
	lost    chan struct{}
}

// sending is one message between Send and its answer.
type sending struct {
	message *broker.Message
	answer  broker.Answer
	due     time.Time
	err     error
}

// Send implements broker.Sink.
func (s *sink) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.b.lock()
	defer s.b.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if s.b.blocked != "" {
		return nil, fmt.Errorf("%w: %s", broker.ErrBlocked, s.b.blocked)
	}
	x := &sending{message: addressed(m, s.at)}
	if s.unconfirmed {
		x.answer.Settle(nil)
	}
	if s.b.latency == 0 && len(s.transit) == 0 {
		s.arrive(x)
		return &x.answer, nil
	}
	x.due = time.Now().Add(s.b.latency)
	if len(s.transit) > 0 {
		if before := s.transit[len(s.transit)-1].due; before.After(x.due) {
			x.due = before // nothing overtakes
		}
	}
	s.transit = append(s.transit, x)
	if len(s.transit) == 1 {
		s.timer = time.AfterFunc(time.Until(x.due), s.land)
	}
	return &x.answer, nil
}

// addressed is a copy of m for the broker to keep, with where it goes when it is sent to at.
func addressed(m *broker.Message, at broker.Address) *broker.Message {
	c := &broker.Message{
		Exchange: m.Exchange, RoutingKey: m.RoutingKey,
		Properties: m.Properties, Headers: maps.Clone(m.Headers), Body: slices.Clone(m.Body),
	}
	if at.Exchange != "" {
		c.Exchange = at.Exchange
	}
	if at.RoutingKey != "" {
		c.RoutingKey = at.RoutingKey
	}
	if at.Queue != "" {
		c.Exchange, c.RoutingKey = "", at.Queue
	}
	return c
}

// land lets what is due arrive.
func (s *sink) land() {
	s.b.lock()
	defer s.b.mu.Unlock()
	for len(s.transit) > 0 {
		wait := time.Until(s.transit[0].due)
		if wait > 0 {
			s.timer = time.AfterFunc(wait, s.land)
			return
		}
		x := s.transit[0]
		s.transit = s.transit[1:]
		s.arrive(x)
	}
}

// arrive has the broker take x or not, and answer, or keep the answer back.
func (s *sink) arrive(x *sending) {
	if x.message.Exchange != "" && s.b.exchanges[x.message.Exchange] == nil {
		// As AMQP does: a channel that publishes to no exchange is closed.
		why := fmt.Errorf("%w: exchange %q: %w", broker.ErrLost, x.message.Exchange, broker.ErrNotFound)
		x.answer.Settle(why)
		s.end(why)
		return
	}
	x.err = s.b.accept(x.message)
	if s.b.holding {
		s.held = append(s.held, x)
		return
	}
	x.answer.Settle(x.err)
}

func (s *sink) release() {
	for _, x := range s.held {
		x.answer.Settle(x.err)
	}
	s.held = nil
}

// Lost implements broker.Sink.
func (s *sink) Lost() <-chan struct{} { return s.lost }

// Blocked implements broker.Blocker.
func (s *sink) Blocked() (string, <-chan struct{}) {
	s.b.lock()
	defer s.b.mu.Unlock()
	return s.b.blocked, s.b.changed
}

// Close implements broker.Sink.
func (s *sink) Close() error {
	s.b.lock()
	defer s.b.mu.Unlock()
	s.end(fmt.Errorf("%w: %w", broker.ErrLost, errClosed))
	return nil
}

// end makes every pending answer unknown. What is in transit is dropped: a message that is acked at its source without
// having been confirmed is really lost here.
func (s *sink) end(why error) {
	if s.err != nil {
		return
	}
	s.err = why
	delete(s.b.sinks, s)
	if s.timer != nil {
		s.timer.Stop()
	}
	for _, x := range slices.Concat(s.held, s.transit) {
		x.answer.Settle(why)
	}
	s.held, s.transit = nil, nil
	close(s.lost)
}
