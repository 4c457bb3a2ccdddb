package federation

import (
	"context"
	"fmt"
	"time"

	"weir/broker"
	"weir/link"
)

// exchangeTo is the downstream exchange as a link.Destination. Its sink leaves out what may not go there, and stamps the rest.
// It leaves matching to the exchange, which alone knows its bindings: this gateway may learn of one after another gateway has
// mirrored it.
type exchangeTo struct {
	link.To
	pair pair
}

// OpenSink implements link.Destination.
func (t exchangeTo) OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error) {
	from, to, err := t.pair.identities(ctx)
	if err != nil {
		return nil, err
	}
	sink, err := t.To.OpenSink(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &exchangeSink{Sink: sink, to: to, maxHops: t.pair.upstream.MaxHops,
		stamp: stamp{hop: link.Hop{Left: from, Exchange: t.pair.exchange.Name}, trustUserID: t.pair.upstream.TrustUserID}}
	s.tooFar.Settle(fmt.Errorf("%w: it has crossed as many links as max-hops allows", broker.ErrUnwanted))
	s.visited.Settle(fmt.Errorf("%w: it has been there", broker.ErrUnwanted))
	return s, nil
}

// stamp is what an exchange link changes on a message. Everything else crosses as it came, its routing key too.
type stamp struct {
	hop         link.Hop     // of the last message; its exchange is the downstream's, which is what the plugin writes
	entry       broker.Table // the same; nil before the first
	trustUserID bool
}

// apply returns m as it is to be published; m itself is not changed.
func (s *stamp) apply(m *broker.Message, now time.Time) *broker.Message {
	out := *m
	if !s.trustUserID {
		// A broker refuses a user-id that is not the connection's own.
		out.Properties.UserID = ""
	}
	// An entry tells milliseconds, so under load many messages share one. To make it costs as much as all else here.
	if s.entry == nil || s.hop.At.UnixMilli() != now.UnixMilli() || s.hop.Redelivered != m.Redelivered {
		s.hop.At, s.hop.Redelivered = now, m.Redelivered
		s.entry = s.hop.Entry()
	}
	out.Headers = link.WithFirst(m.Headers, link.ReceivedFrom, s.entry)
	return &out
}

type exchangeSink struct {
	broker.Sink
	stamp   stamp
	to      broker.Identity
	maxHops int
	// One answer for all messages of a kind.
	tooFar, visited broker.Answer
}

// Send implements broker.Sink. What may not go downstream is settled as broker.ErrUnwanted, and nothing is sent: the
// rule is the plugin's (rabbit_federation_util:should_forward).
func (s *exchangeSink) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	if link.HopCount(m.Headers) >= s.maxHops {
		return &s.tooFar, nil
	}
	if link.Visited(m.Headers, s.to) {
		return &s.visited, nil
	}
	return s.Sink.Send(ctx, s.stamp.apply(m, time.Now()))
}

// Blocked implements broker.Blocker.
func (s *exchangeSink) Blocked() (string, <-chan struct{}) { return broker.BlockedBy(s.Sink) }

// Node implements broker.Connected.
func (s *exchangeSink) Node() string { return broker.NodeOf(s.Sink) }
