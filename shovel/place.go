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
	// maxHops is how many links a message may cross. 0: hops are neither recorded nor limited.
	maxHops int
	source  watch // the shovel's
	// budgets are spent by what goes there: the room's, and the overflow gate's.
	budgets []*budget
}

// full says why there is no room; empty: there is.
func (p *place) full() string {
	if p.room == nil {
		return ""
	}
	return p.room.free()
}

// check tells whether it could be opened now, as far as its broker can say.
func (p *place) check(ctx context.Context) error {
	c, ok := p.Broker.(broker.Checker)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return c.Check(ctx, p.At, broker.AsDestination, p.Options.Predeclared)
}

// OpenSink implements link.Destination. Its sink does not take a message that has been there, or has crossed too many
// links (ErrNowhere), and stamps the others.
func (p *place) OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error) {
	s := placeSink{stamp: p.stamp, maxHops: p.maxHops, budgets: p.budgets}
	if p.stamp.hop || p.stamp.forwardHeaders {
		var err error
		if s.stamp.from, err = broker.IdentityOf(ctx, p.source.broker); err != nil {
			return nil, fmt.Errorf("the source's broker %s: %w", p.source.name, err)
		}
		if s.stamp.to, err = broker.IdentityOf(ctx, p.Broker); err != nil {
			return nil, err
		}
	}
	sink, err := p.To.OpenSink(ctx, o)
	if err != nil {
		return nil, err
	}
	s.Sink = sink
	return &s, nil
}

type placeSink struct {
	broker.Sink
	stamp   stamp
	maxHops int
	budgets []*budget
}

// ruledOut is ErrNowhere, because a message may not go to a place.
type ruledOut struct{ why string }

func (r ruledOut) Error() string { return broker.ErrNowhere.Error() + ": " + r.why }
func (r ruledOut) Unwrap() error { return broker.ErrNowhere }

// ruledOutWhy is the reason without what all of them say.
func ruledOutWhy(err error) string {
	if r, ok := errors.AsType[ruledOut](err); ok {
		return r.why
	}
	return err.Error()
}

// Send implements broker.Sink.
func (s *placeSink) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	if s.maxHops > 0 {
		if link.HopCount(m.Headers) >= s.maxHops {
			return nil, ruledOut{"it has crossed as many links as max-hops allows"}
		}
		if link.Visited(m.Headers, s.stamp.to) {
			return nil, ruledOut{"it has been there"}
		}
	}
	confirm, err := s.Sink.Send(ctx, s.stamp.apply(m))
	if err == nil {
		for _, b := range s.budgets {
			b.spend()
		}
	}
	return confirm, err
}

// Blocked implements broker.Blocker.
func (s *placeSink) Blocked() (string, <-chan struct{}) { return broker.BlockedBy(s.Sink) }

// Node implements broker.Connected.
func (s *placeSink) Node() string { return broker.NodeOf(s.Sink) }
