package amqp

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// mostPrefetch is what basic.qos can say.
const mostPrefetch = 1<<16 - 1

// source implements broker.Source on a channel of its own. Its delivery tags count per channel, across consumers, which
// is what lets Resize change consumers without giving anything back.
type source struct {
	broker *Broker
	conn   *connection
	ch     *amqp091.Channel
	queue  string
	link   string
	scope  string // of messages
	stream bool   // the queue is one
	args   amqp091.Table

	guessed bool // that the queue is a classic one

	cancelled <-chan string         // consumers that the broker has cancelled
	closed    <-chan *amqp091.Error // why the channel closed

	deliveries <-chan amqp091.Delivery // of the consumer being read; Receive's own

	calling sync.Mutex // one call at a time on the channel
	quiet   quiet

	mu       sync.Mutex
	tag      string        // of the consumer, empty without one
	next     []follower    // the consumers that follow, in order
	resizing chan struct{} // closed when Resize has ended; nil when it is not under way
	stopped  bool          // Stop has been called
	err      error         // why the session has ended, once Receive has said so

	once    sync.Once
	closing error
}

// Node implements broker.Connected.
func (s *source) Node() string { return s.conn.wire.node }

// begin makes the first consumer.
func (s *source) begin(window int) error {
	first, err := s.consume(window)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tag, s.deliveries = first.tag, first.deliveries
	s.quiet.begin(first.tag, first.window)
	return nil
}

// consume makes a consumer with a window, as large as it can be.
func (s *source) consume(window int) (follower, error) {
	window = min(window, mostPrefetch)
	asked := time.Now()
	if err := s.ch.Qos(window, 0, false); err != nil {
		return follower{}, s.conn.explain(err)
	}
	s.quiet.answered(time.Since(asked))
	tag := consumerTag(s.link)
	s.broker.consumers.add(s.queue, tag)
	deliveries, err := s.ch.Consume(s.queue, tag, false, false, false, false, s.args)
	if err != nil {
		s.broker.consumers.remove(s.queue, tag)
		if s.guessed && code(err) == amqp091.PreconditionFailed {
			return follower{}, errNotClassic
		}
		return follower{}, s.conn.explain(err)
	}
	return follower{tag, deliveries, window}, nil
}

// cancel ends the consumer, if there is one. What was delivered stays. Settlements are kept back until quiet ends that.
func (s *source) cancel() error {
	tag := s.active()
	if tag == "" {
		return nil
	}
	s.quiet.await(tag, s.empty)
	if err := s.ch.Cancel(tag, false); err != nil {
		return lost(err, s.conn.wire)
	}
	s.forget()
	return nil
}

// active is the tag of the consumer, empty without one.
func (s *source) active() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tag
}

// empty asks whether nothing is left to deliver. An answer may overtake deliveries that the channel has yet to pass on, a
// second one does not. A queue that has no consumer, not even this one, has not answered for itself (see Depth), and a
// stream is never empty.
func (s *source) empty() bool {
	if s.stream {
		return true
	}
	for range 2 {
		q, err := s.ch.QueueDeclarePassive(s.queue, true, false, false, false, nil)
		if err != nil {
			return true // it is the channel's end
		}
		if q.Messages > 0 || q.Consumers == 0 {
			return false
		}
	}
	return true
}

// forget takes the consumer off the books.
func (s *source) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tag != "" {
		s.broker.consumers.remove(s.queue, s.tag)
		s.tag = ""
	}
}

// Receive implements broker.Source.
func (s *source) Receive(ctx context.Context) (*broker.Message, error) { return s.receive(ctx, nil) }

// receive ends with io.EOF when atRest is closed and nothing more comes.
func (s *source) receive(ctx context.Context, atRest <-chan struct{}) (*broker.Message, error) {
	var end <-chan time.Time
	for {
		select {
		case d, ok := <-s.deliveries:
			if ok {
				s.quiet.receive(d.DeliveryTag)
				return incoming(&d, s.scope), nil
			}
			if err := s.advance(ctx); err != nil {
				return nil, err
			}
		case <-atRest:
			if s.quiet.isFull(s.active()) {
				return nil, io.EOF
			}
			atRest, end = nil, time.After(mostSilence) // what has come may still be on its way through amqp091-go
		case <-end:
			return nil, io.EOF
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// advance goes on to the consumer that follows the one whose deliveries have ended, or says why there is none.
func (s *source) advance(ctx context.Context) error {
	s.mu.Lock()
	resizing, stopped, err := s.resizing, s.stopped, s.err
	if len(s.next) > 0 {
		s.quiet.begin(s.next[0].tag, s.next[0].window)
		s.deliveries, s.next = s.next[0].deliveries, s.next[1:]
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case stopped && !s.ch.IsClosed():
		return io.EOF
	case resizing != nil && !s.ch.IsClosed():
		select {
		case <-resizing:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err = s.why()
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	return err
}

// why tells why deliveries ended though nobody here has asked for it. amqp091-go reports before it ends them.
func (s *source) why() error {
	select {
	case tag, ok := <-s.cancelled:
		if ok {
			return fmt.Errorf("%w: the broker cancelled consumer %q: queue %q was deleted, its node went down, or messages were held for longer than the consumer timeout",
				broker.ErrLost, tag, s.queue)
		}
		return lost(reason(<-s.closed), s.conn.wire)
	case reply := <-s.closed:
		return lost(reason(reply), s.conn.wire)
	}
}

// Ack implements broker.Source.
func (s *source) Ack(last *broker.Message) error {
	return s.quiet.settle(settlement{tag: last.Tag, multiple: true}, s.settle)
}

// Settle implements broker.Source.
func (s *source) Settle(m *broker.Message, how broker.Settlement) error {
	return s.quiet.settle(settlement{tag: m.Tag, how: how}, s.settle)
}

// settle tells the broker.
func (s *source) settle(t settlement) error {
	var err error
	switch t.how {
	case broker.Acked:
		err = s.ch.Ack(t.tag, t.multiple)
	case broker.Rejected, broker.Returned:
		err = s.ch.Reject(t.tag, t.how == broker.Returned)
	default:
		return fmt.Errorf("unknown settlement %d", t.how)
	}
	if err != nil {
		return lost(err, s.conn.wire)
	}
	return nil
}

// RoundTrip implements broker.RoundTripper.
func (s *source) RoundTrip() time.Duration { return s.quiet.roundTrip() }

// Stop implements broker.Source.
func (s *source) Stop(ctx context.Context) error {
	_, err := await(ctx, s.broker.pool, func() (struct{}, error) {
		s.calling.Lock()
		defer s.calling.Unlock()
		s.mu.Lock()
		s.stopped = true
		s.mu.Unlock()
		return struct{}{}, s.cancel()
	}, nil)
	return err
}

// Close implements broker.Source. It returns when the broker has taken back what is unsettled.
func (s *source) Close() error {
	s.once.Do(func() {
		if !s.ch.IsClosed() {
			_ = s.quiet.rest(s.settle) // an error is the channel's end, which vacate tells
		}
		s.closing = s.broker.pool.vacate(s.conn, s.ch)
		s.forget()
	})
	return s.closing
}
