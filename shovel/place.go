package shovel

import (
	"context"
	"errors"
	"fmt"

	"weir/broker"
	"weir/link"
)

// place is one destination of a shovel: an address, and how a message is stamped on its way there.
type place struct {
	link.To
	stamp stamp
	room  *room // nil: always room
	// hops: 0 unless the shovel records them.
	maxHops int
	source  Watch
}

// OpenSink implements link.Destination. Its sink does not take a message that has been there, or has crossed too many
// links (ErrNowhere), and stamps the others.
func (p *place) OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error) {
	s := placeSink{stamp: p.stamp, maxHops: p.maxHops}
	if p.maxHops > 0 || p.stamp.forwardHeaders {
		var err error
		if s.from, err = identity(ctx, p.source.Broker); err != nil {
			return nil, fmt.Errorf("identity of %s: %w", p.source.Name, err)
		}
		if s.to, err = identity(ctx, p.Broker); err != nil {
			return nil, fmt.Errorf("identity of %s: %w", p.Name, err)
		}
	}
	sink, err := p.To.OpenSink(ctx, o)
	if err != nil {
		return nil, err
	}
	s.Sink = sink
	return &s, nil
}

// identity asks a broker what it is called on hop lists.
func identity(ctx context.Context, b broker.Broker) (broker.Identity, error) {
	i, ok := b.(broker.Identifier)
	if !ok {
		return broker.Identity{}, fmt.Errorf("hops cannot be recorded: %w", broker.ErrUnsupported)
	}
	return i.Identity(ctx)
}

type placeSink struct {
	broker.Sink
	stamp    stamp
	maxHops  int
	from, to broker.Identity
}

// errTravelled and errVisited say why a message may not go to a place. Both are ErrNowhere.
var (
	errTravelled = fmt.Errorf("%w: it has crossed as many links as max-hops allows", broker.ErrNowhere)
	errVisited   = fmt.Errorf("%w: it has been there", broker.ErrNowhere)
)

func (s *placeSink) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	if s.maxHops > 0 {
		if link.HopCount(m.Headers) >= s.maxHops {
			return nil, errTravelled
		}
		if link.Visited(m.Headers, s.to) {
			return nil, errVisited
		}
	}
	return s.Sink.Send(ctx, s.stamp.apply(m, s.from, s.to, s.maxHops > 0))
}

// Blocked implements broker.Blocker.
func (s *placeSink) Blocked() (string, <-chan struct{}) {
	if b, ok := s.Sink.(broker.Blocker); ok {
		return b.Blocked()
	}
	return "", nil
}

// refuses tells whether a Send failed only because this message may not go there.
func refuses(err error) bool { return errors.Is(err, broker.ErrNowhere) }
