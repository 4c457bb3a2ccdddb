package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"weir/broker"
)

// Source receives from a durable pull consumer. It implements broker.Source and broker.Resizer.
//
//	Receive <- held <- onMessage <- one subscription <- server <- pull requests <- refill
//	Ack, Settle -> held -> one ack a message, not waited for
//
// Its goroutine (keep) sees to what time does: the ack wait of what is held for long, requests that nobody answers.
type Source struct {
	b    *Broker
	conn *conn
	at   place
	log  *slog.Logger

	inbox   string // pull request n is answered to inbox + n
	sub     *nats.Subscription
	pulls   *nats.Subscription    // to questions of other gateways; nil if none can come
	changes [2]*nats.Subscription // to word that the consumer has been made or deleted; nil where none can come
	ended   chan struct{}         // closed when sub delivers nothing more
	wake    chan struct{}         // something has changed for Receive
	settled chan struct{}         // something has changed for Stop
	doubt   chan struct{}         // something has changed for keep
	stop    func()                // ends the watch of conn
	ctx     context.Context       // ends with the session
	cancel  context.CancelFunc
	keeping sync.WaitGroup

	mu       sync.Mutex
	window   int
	held     deliveries
	requests requests
	heard    time.Time // when the last message arrived
	newest   string    // its reply subject
	before   uint64    // deliveries of the consumer before the session
	standing bool      // it waits for its turn (see turn)
	suspect  time.Time // since when the consumer is in doubt, zero if it is not
	stopping bool
	drained  bool
	closed   bool
	err      error // why the session is over

	turn *turn    // nil: every session on the consumer receives
	acks []string // reused by Ack
	read *reader  // used by Receive alone
}

const quiet = 5 * time.Second // a source that has heard nothing for so long is idle

// Receive implements broker.Source.
func (s *Source) Receive(ctx context.Context) (*broker.Message, error) {
	for {
		s.mu.Lock()
		if s.err == nil && s.over() {
			s.end(errLockLost)
		}
		if s.err != nil {
			s.mu.Unlock()
			return nil, s.err
		}
		m, tag, ok := s.held.receive()
		drained := s.drained
		s.mu.Unlock()
		switch {
		case ok:
			return s.read.message(m, tag), nil
		case drained:
			return nil, io.EOF
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Ack implements broker.Source. It acks one by one: a cumulative ack of JetStream would also settle what another
// session on the consumer holds.
func (s *Source) Ack(last *broker.Message) error {
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return s.err
	}
	acks, ok := s.held.settleThrough(last.Tag, s.acks[:0])
	s.acks = acks
	s.refill()
	s.mu.Unlock()
	if !ok {
		return errNotHeld(last)
	}
	for _, reply := range acks {
		if err := s.conn.nats.Publish(reply, nil); err != nil {
			return s.fail(err)
		}
	}
	return nil
}

// Settle implements broker.Source. What is rejected is terminated: the broker does not deliver it again, and keeps it
// nowhere.
func (s *Source) Settle(m *broker.Message, how broker.Settlement) error {
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return s.err
	}
	reply, ok := s.held.settle(m.Tag)
	s.refill()
	s.mu.Unlock()
	if !ok {
		return errNotHeld(m)
	}
	var answer []byte
	switch how {
	case broker.Rejected:
		answer = []byte("+TERM")
	case broker.Returned:
		answer = []byte("-NAK")
	}
	if err := s.conn.nats.Publish(reply, answer); err != nil {
		return s.fail(err)
	}
	return nil
}

func errNotHeld(m *broker.Message) error {
	return fmt.Errorf("settle message %d: it is not held, or has been settled", m.Tag)
}

// Resize implements broker.Resizer.
func (s *Source) Resize(_ context.Context, window int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.window = s.at.bounded(window)
	s.refill()
	return s.err
}

// refill asks for more. The caller holds mu.
func (s *Source) refill() {
	if s.stopping || s.standing || s.err != nil || !s.suspect.IsZero() || s.over() {
		return
	}
	now := time.Now()
	for {
		n, ok := s.requests.next(s.window, &s.held)
		if !ok {
			return
		}
		n = s.at.limited(n)
		wait := shortWait
		if now.Sub(s.heard) > 2*quiet {
			wait = longWait
		}
		wait = s.at.wait(wait + wait/2*time.Duration(s.requests.id%2)) // two that are open together end apart
		n.deadline = now.Add(wait + requestGrace)
		id := s.requests.made(n)
		if err := s.conn.nats.PublishRequest(s.at.next, s.inbox+strconv.FormatUint(id, 10), n.appendJSON(nil, wait, s.at)); err != nil {
			return // the connection is lost, and tells
		}
	}
}

// onMessage takes what the subscription brings: messages, under the subject they were stored under, and the ends of
// requests, under that of the request.
func (s *Source) onMessage(m *nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, found := strings.CutPrefix(m.Subject, s.inbox); found {
		s.onEnd(id, m.Header)
	} else {
		s.heard, s.newest = time.Now(), m.Reply
		s.requests.arrived(m.Size())
		s.held.add(m, s.heard)
		notify(s.wake)
	}
	if s.requests.asked == 0 {
		notify(s.settled)
	}
}

// onEnd takes the end of a request. Only figures decide: descriptions are for people, and one status has several.
func (s *Source) onEnd(id string, h nats.Header) {
	number, _ := strconv.ParseUint(id, 10, 64)
	messages, err := strconv.Atoi(h.Get("Nats-Pending-Messages"))
	bytes, _ := strconv.Atoi(h.Get("Nats-Pending-Bytes"))
	status := h.Get("Status")
	if err != nil { // not served at all: none has arrived, as far as anybody knows
		s.doubted(fmt.Errorf("status %s %s", status, h.Get("Description")))
		return
	}
	n, known := s.requests.ended(number, messages, bytes)
	if known && status == "409" && messages == n.messages { // not even one fits
		if n.whole && n.bytes > 0 {
			s.end(fmt.Errorf("the next message is larger than consumer %s of stream %s lets a request be, %d bytes: %w",
				s.at.consumer, s.at.stream, n.bytes, broker.ErrUnsupported))
		}
		s.requests.large = true
	}
	s.refill()
}

// doubted has keep look at the consumer before anything more is asked for. The caller holds mu.
func (s *Source) doubted(why error) {
	s.requests.forget()
	if s.suspect.IsZero() && s.err == nil {
		s.suspect = time.Now()
		s.log.Debug("consumer in doubt", "reason", why)
		notify(s.doubt)
	}
}

// fail ends the session. It returns the error that ended it.
func (s *Source) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(err)
	return s.err
}

// end is fail for a caller that holds mu.
func (s *Source) end(err error) {
	if s.err != nil {
		return
	}
	s.err = lost(err)
	s.cancel()
	notify(s.wake)
	notify(s.settled)
}

// refused is told of what the connection may not do.
func (s *Source) refused(subject string, err error) {
	if strings.HasPrefix(subject, s.inbox) || subject == s.at.next || strings.HasPrefix(subject, "$JS.ACK.") {
		_ = s.fail(err)
	}
}

// notify wakes whoever waits on c, now or next.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var errSourceClosed = errors.New("the source has been closed")
