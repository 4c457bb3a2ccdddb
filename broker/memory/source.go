package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"weir/broker"
)

// source implements broker.Source, broker.Resizer and broker.Standing.
type source struct {
	b      *Broker
	q      *queue
	window int

	priority int
	foreign  bool // an application's

	inbox   []delivery // delivered, not received yet
	held    []delivery // received, not settled yet; both by tag
	tag     uint64
	stopped bool
	err     error         // why the session is over
	wake    chan struct{} // holds one token when Receive should look again
}

type delivery struct {
	tag uint64
	*entry
}

func (s *source) unsettled() int { return len(s.inbox) + len(s.held) }

func (s *source) room() bool { return s.unsettled() < s.window }

func (s *source) deliver(e *entry) {
	s.tag++
	s.inbox = append(s.inbox, delivery{s.tag, e})
	s.rouse()
}

func (s *source) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Receive implements broker.Source.
func (s *source) Receive(ctx context.Context) (*broker.Message, error) {
	for {
		if m, err := s.next(); m != nil || err != nil {
			return m, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// next is what Receive can return at once; neither message nor error means that it must wait.
func (s *source) next() (*broker.Message, error) {
	s.b.lock()
	defer s.b.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, s.err
	case len(s.inbox) > 0:
		d := s.inbox[0]
		s.inbox = s.inbox[1:]
		s.held = append(s.held, d)
		return s.q.message(d.entry, d.tag), nil
	case s.stopped:
		return nil, io.EOF
	}
	return nil, nil
}

// Ack implements broker.Source.
func (s *source) Ack(last *broker.Message) error {
	s.b.lock()
	defer s.b.mu.Unlock()
	i, err := s.find(last)
	if err != nil {
		return err
	}
	s.held = slices.Delete(s.held, 0, i+1)
	s.q.dispatch()
	return nil
}

// Settle implements broker.Source.
func (s *source) Settle(m *broker.Message, how broker.Settlement) error {
	s.b.lock()
	defer s.b.mu.Unlock()
	i, err := s.find(m)
	if err != nil {
		return err
	}
	e := s.held[i].entry
	s.held = slices.Delete(s.held, i, i+1)
	switch how {
	case broker.Rejected:
		s.q.deadLetter(e)
	case broker.Returned:
		s.q.giveBack(e)
	}
	s.q.dispatch()
	return nil
}

func (s *source) find(m *broker.Message) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	i, ok := slices.BinarySearchFunc(s.held, m.Tag, func(d delivery, tag uint64) int { return cmp.Compare(d.tag, tag) })
	if !ok {
		return 0, fmt.Errorf("settle message %d of %s: it is not unsettled here", m.Tag, s.q.name)
	}
	return i, nil
}

// Resize implements broker.Resizer. A smaller window takes effect as messages are settled.
func (s *source) Resize(_ context.Context, window int) error {
	s.b.lock()
	defer s.b.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.window = max(window, 1)
	s.q.dispatch()
	return nil
}

// Standby implements broker.Standing.
func (s *source) Standby(context.Context) (bool, error) {
	s.b.lock()
	defer s.b.mu.Unlock()
	if s.err != nil {
		return false, s.err
	}
	return !s.stopped && s.q.standsBy(s), nil
}

// Stop implements broker.Source.
func (s *source) Stop(context.Context) error {
	s.b.lock()
	defer s.b.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.stopped = true
	s.q.leave(s)
	s.q.dispatch() // another one's turn, if this was the single active
	s.rouse()
	return nil
}

var errClosed = errors.New("closed by its owner")

// Close implements broker.Source.
func (s *source) Close() error {
	s.b.lock()
	defer s.b.mu.Unlock()
	s.b.endSources(errClosed, s)
	return nil
}

// endSources ends sessions that are still open and gives back what they hold. All leave, and everything is back in its
// place, before anything is delivered again.
func (b *Broker) endSources(why error, sources ...*source) {
	sources = slices.DeleteFunc(sources, func(s *source) bool { return s.err != nil })
	for _, s := range sources {
		s.err = why
		s.q.leave(s)
		delete(b.sources, s)
		s.rouse()
	}
	for _, s := range sources {
		for _, d := range slices.Concat(s.held, s.inbox) {
			s.q.giveBack(d.entry)
		}
		s.held, s.inbox = nil, nil
	}
	for _, s := range sources {
		s.q.dispatch()
	}
}
