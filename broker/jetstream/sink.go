package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"weir/broker"
)

// Sink publishes to streams. It implements broker.Sink.
//
//	Send -> judged routable: published, in a slot -> onAnswer -> Confirm
//	     -> else, and behind one that is not: doubts -> ask -> published, or unroutable
//
// So what is sent keeps its order, and one message in doubt holds up the others for one question to the server.
type Sink struct {
	b           *Broker
	conn        *conn
	to          destination
	unconfirmed bool
	sub         *nats.Subscription // to the answers
	ended       chan struct{}      // closed when sub delivers nothing more
	stop        func()             // ends the watch of conn
	room        chan struct{}      // a slot has become free
	lost        chan struct{}
	ctx         context.Context // ends with the session
	cancel      context.CancelFunc
	asking      sync.WaitGroup

	mu      sync.Mutex
	encoder encoder
	id      identity
	out     nats.Msg // reused
	routes  routes
	slots   slots
	doubts  []doubt
	number  uint64 // of the last doubt
	busy    bool   // ask runs
	closed  bool
	err     error // why the session is over
}

// doubt is a message of which only the server can say where it goes.
type doubt struct {
	number  uint64
	m       *broker.Message // nil: it has been published, and no stream has answered
	subject string
	address bool
	answer  *broker.Answer
}

var errSinkClosed = errors.New("the sink has been closed")

// Send implements broker.Sink. It waits only if more messages are on their way than any window holds.
func (s *Sink) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.makeRoom(ctx); err != nil {
		return nil, err
	}
	subject, address := s.to.of(m)
	d := doubt{m: m, subject: subject, address: address, answer: new(broker.Answer)}
	if len(s.doubts) == 0 {
		if to := s.routes.open(subject); to != nil {
			return d.answer, s.publish(d, to)
		}
	}
	s.doubted(d)
	return d.answer, nil
}

// makeRoom waits for a place. The caller holds mu, which it gives up meanwhile.
func (s *Sink) makeRoom(ctx context.Context) error {
	for s.err == nil && s.slots.used+len(s.doubts) >= maxSlots {
		s.mu.Unlock()
		select {
		case <-s.room:
		case <-ctx.Done():
			s.mu.Lock()
			return ctx.Err()
		}
		s.mu.Lock()
	}
	return s.err
}

// publish hands a message to the server. What is wrong with it alone goes to its answer. The caller holds mu.
func (s *Sink) publish(d doubt, to *route) error {
	header, err := s.encoder.encode(d.m, d.address)
	if err != nil {
		d.answer.Settle(fmt.Errorf("%w: %w", broker.ErrRefused, err))
		return nil
	}
	if id := s.id.of(d.m, d.subject); id != "" {
		s.encoder.set(nats.MsgIdHdr, id)
	}
	s.out = nats.Msg{Subject: d.subject, Header: header, Data: d.m.Body}
	if !s.unconfirmed {
		s.out.Reply, _ = s.slots.take(d.answer, d.subject, to.expect) // makeRoom has seen to it
	}
	err = s.conn.nats.PublishMsg(&s.out)
	s.out.Data = nil // it is not ours to keep
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		s.slots.answered(s.out.Reply)
		d.answer.Settle(fmt.Errorf("%w: %d bytes, and headers: the server takes %d", broker.ErrTooLarge, len(d.m.Body), s.conn.nats.MaxPayload()))
	case err != nil:
		s.end(err)
		return s.err
	case s.unconfirmed:
		d.answer.Settle(nil)
	}
	return nil
}

// onAnswer takes the answer to a publish.
func (s *Sink) onAnswer(m *nats.Msg) {
	s.mu.Lock()
	was, ok := s.slots.answered(m.Subject)
	if s.slots.used+len(s.doubts) == maxSlots-1 {
		notify(s.room)
	}
	s.mu.Unlock()
	if !ok {
		return
	}
	stream, err := readAnswer(m, was.expect)
	switch {
	case errors.Is(err, broker.ErrLost):
		was.answer.Settle(err)
		s.fail(err)
	case errors.Is(err, broker.ErrUnroutable):
		s.unanswered(was)
	default:
		was.answer.Settle(err)
		if stream != "" {
			s.moved(was.subject)
		}
	}
}

// moved notes that another stream than expected stores a subject.
func (s *Sink) moved(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes.forget(subject)
}

// unanswered notes that no stream has answered to a message: there is none, or it has no leader.
func (s *Sink) unanswered(was slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		was.answer.Settle(s.err)
		return
	}
	s.doubted(doubt{subject: was.subject, answer: was.answer})
}

// refused is told of what the connection may not do.
func (s *Sink) refused(subject string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ours := subject == s.out.Subject || strings.HasPrefix(subject, s.slots.prefix)
	s.slots.each(func(p *slot) { ours = ours || p.subject == subject })
	if ours {
		s.end(err)
	}
}

// Lost implements broker.Sink.
func (s *Sink) Lost() <-chan struct{} { return s.lost }

// Close implements broker.Sink.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.end(errSinkClosed)
	s.mu.Unlock()
	s.stop()
	s.asking.Wait()
	_ = s.sub.Unsubscribe()
	<-s.ended
	s.b.sending.release(s.conn)
	s.b.forget(s)
	return nil
}

func (s *Sink) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(err)
}

// end ends the session: nobody knows what became of what is on its way. The caller holds mu.
func (s *Sink) end(err error) {
	if s.err != nil {
		return
	}
	s.err = lost(err)
	s.slots.each(func(p *slot) {
		p.answer.Settle(s.err)
		p.answer = nil
	})
	for _, d := range s.doubts {
		d.answer.Settle(s.err)
	}
	s.doubts = nil
	s.cancel()
	close(s.lost)
	notify(s.room)
}
