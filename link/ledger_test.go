package link_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// ledger is a broker that counts what a link does with its sources.
type ledger struct {
	*memory.Broker
	put int // messages published so far

	mu                     sync.Mutex
	redelivered            []string // that had been delivered before: somebody gave them back
	acks, settled, mostOut int      // calls of Ack and Settle; the most messages received and not settled
	late                   int      // calls of Resize after Stop
	wrap                   func(broker.Source) broker.Source
}

func (l *ledger) OpenSource(ctx context.Context, at broker.Address, o broker.SourceOptions) (broker.Source, error) {
	s, err := l.Broker.OpenSource(ctx, at, o)
	if err != nil {
		return nil, err
	}
	if l.wrap != nil {
		s = l.wrap(s)
	}
	return &counted{Source: s, ledger: l}, nil
}

func (l *ledger) count(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// returned are the messages that came again, because they had been given back.
func (l *ledger) returned() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.redelivered)
}

type counted struct {
	broker.Source
	*ledger
	unsettled []uint64
	stopped   bool
}

func (c *counted) Receive(ctx context.Context) (*broker.Message, error) {
	m, err := c.Source.Receive(ctx)
	if err != nil {
		return nil, err
	}
	c.count(func() {
		if m.Redelivered {
			c.redelivered = append(c.redelivered, string(m.Body))
		}
		c.unsettled = append(c.unsettled, m.Tag)
		c.mostOut = max(c.mostOut, len(c.unsettled))
	})
	return m, nil
}

func (c *counted) Ack(last *broker.Message) error {
	c.count(func() {
		c.acks++
		c.unsettled = slices.DeleteFunc(c.unsettled, func(tag uint64) bool { return tag <= last.Tag })
	})
	return c.Source.Ack(last)
}

func (c *counted) Settle(m *broker.Message, how broker.Settlement) error {
	c.count(func() {
		c.settled++
		c.unsettled = slices.DeleteFunc(c.unsettled, func(tag uint64) bool { return tag == m.Tag })
	})
	return c.Source.Settle(m, how)
}

func (c *counted) Stop(ctx context.Context) error {
	c.count(func() { c.stopped = true })
	return c.Source.Stop(ctx)
}

// Resize implements broker.Resizer.
func (c *counted) Resize(ctx context.Context, window int) error {
	c.count(func() {
		if c.stopped {
			c.late++
		}
	})
	return c.Source.(broker.Resizer).Resize(ctx, window)
}

// RoundTrip implements broker.RoundTripper.
func (c *counted) RoundTrip() time.Duration {
	if s, ok := c.Source.(broker.RoundTripper); ok {
		return s.RoundTrip()
	}
	return 0
}

// Standby implements broker.Standing.
func (c *counted) Standby(ctx context.Context) (bool, error) {
	if s, ok := c.Source.(broker.Standing); ok {
		return s.Standby(ctx)
	}
	return false, broker.ErrUnsupported
}

// destination wraps the sinks of a link's destination.
type destination struct {
	link.Destination
	open func(ctx context.Context, o broker.SinkOptions) error // nil error: go on
	wrap func(broker.Sink, broker.SinkOptions) broker.Sink
}

func (d destination) OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error) {
	if d.open != nil {
		if err := d.open(ctx, o); err != nil {
			return nil, err
		}
	}
	s, err := d.Destination.OpenSink(ctx, o)
	if err == nil && d.wrap != nil {
		s = d.wrap(s, o)
	}
	return s, err
}

// sender is a sink whose Send is the test's.
type sender struct {
	broker.Sink
	send func(broker.Sink, context.Context, *broker.Message) (broker.Confirm, error)
}

func (s sender) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	return s.send(s.Sink, ctx, m)
}

// Blocked implements broker.Blocker.
func (s sender) Blocked() (string, <-chan struct{}) { return s.Sink.(broker.Blocker).Blocked() }
