package amqp

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// sink implements broker.Sink and broker.Blocker on a channel of its own.
//
// Send writes and goes on; watch, the sink's one goroutine, matches the broker's answers to what is in flight.
type sink struct {
	pool *pool
	conn *connection
	ch   *amqp091.Channel
	to   broker.Address

	// written answers every Send of an unconfirmed sink; nil otherwise.
	written *broker.Answer

	stalls   int64 // those of the connection before
	inFlight inFlight
	begun    chan struct{} // says that inFlight.next is no longer nil

	sending sync.Mutex // held while a message is written: channel.close must not come between its frames
	content content    // of that message
	once    sync.Once
	closing error
}

// OpenSink implements broker.Broker. A queue is reached through the default exchange and declared if it is missing and
// not Predeclared. A missing exchange is ErrNotFound.
//
// A message that makes RabbitMQ close the channel (over-size, forbidden, to an exchange that has gone) ends the session.
// If it was the only one in flight its Confirm tells why; otherwise nobody knows which it was, and all are lost.
func (b *Broker) OpenSink(ctx context.Context, at broker.Address, o broker.SinkOptions) (broker.Sink, error) {
	if err := foreign(at); err != nil {
		return nil, err
	}
	return await(ctx, b.pool, func() (broker.Sink, error) {
		s, err := b.openSink(ctx, at, o)
		if err != nil {
			return nil, err
		}
		return s, nil
	}, func(s broker.Sink) { _ = s.Close() })
}

func (b *Broker) openSink(ctx context.Context, at broker.Address, o broker.SinkOptions) (*sink, error) {
	conn, err := b.pool.acquire(ctx, order{role: publishing, link: o.Link, alone: o.Alone})
	if err != nil {
		return nil, err
	}
	ch, err := destination(conn, at, o)
	if err != nil {
		b.pool.release(conn)
		return nil, err
	}
	s := &sink{
		pool: b.pool, conn: conn, ch: ch, to: at, stalls: conn.wire.stalls.count(),
		inFlight: inFlight{over: make(chan struct{})}, begun: make(chan struct{}, 1),
	}
	if o.Unconfirmed {
		s.written = new(broker.Answer)
		s.written.Settle(nil)
	} else if err := ch.Confirm(false); err != nil {
		_ = b.pool.vacate(conn, ch)
		return nil, conn.explain(err)
	}
	s.inFlight.broker = b
	s.start()
	return s, nil
}

// Node implements broker.Connected.
func (s *sink) Node() string { return s.conn.wire.node }

// destination opens a channel and makes sure that what it will publish to is there.
func destination(conn *connection, at broker.Address, o broker.SinkOptions) (*amqp091.Channel, error) {
	if at.Exchange != "" {
		return findExchange(conn, at.Exchange)
	}
	if at.Queue != "" {
		ch, err := ensureQueue(conn, at.Queue, o.Predeclared, o.DeclareArgs)
		if !errors.Is(err, errHidden) {
			return ch, err
		}
		// To publish to it takes no permission on the queue itself. If it is not there, messages are unroutable.
	}
	ch, err := conn.amqp.Channel()
	if err != nil {
		return nil, conn.explain(err)
	}
	return ch, nil
}

// start listens to the broker's answers.
func (s *sink) start() {
	returns := s.ch.NotifyReturn(make(chan amqp091.Return, 64)) // as many as may come before watch looks
	closed := s.ch.NotifyClose(make(chan *amqp091.Error, 1))
	s.pool.running.Go(func() { s.watch(returns, closed) })
}

// watch settles what is in flight until the channel has closed, which amqp091-go tells on both of its channels.
func (s *sink) watch(returns <-chan amqp091.Return, closed <-chan *amqp091.Error) {
	var reply *amqp091.Error
	for returns != nil || closed != nil {
		select {
		case <-s.inFlight.next():
			s.settle(returns)
		case <-s.begun:
		case r, ok := <-returns:
			if ok {
				s.note(&r)
			} else {
				returns = nil
			}
		case e, ok := <-closed:
			if ok {
				reply = e
			} else {
				closed = nil
			}
		}
	}
	s.end(reply)
}

// settle settles the oldest as far as they have been answered. RabbitMQ sends a basic.return before the confirm of the
// same message, and amqp091-go passes both on from one goroutine: once a confirm is seen, its return is waiting. An answer
// that is seen when the channel has closed may be amqp091-go's own, and is left to end.
func (s *sink) settle(returns <-chan amqp091.Return) {
	for s.inFlight.answered() && !s.ch.IsClosed() {
		if s.stalled() {
			return
		}
		for len(returns) > 0 {
			r := <-returns
			s.note(&r)
		}
		s.inFlight.settle()
	}
}

// note matches a return to what is in flight. One that matches nothing leaves no answer trustworthy.
func (s *sink) note(r *amqp091.Return) {
	if s.written != nil {
		return // unconfirmed: nobody is waiting for an answer
	}
	if !s.inFlight.returned(r) {
		s.inFlight.abandon(fmt.Errorf("%w: the broker returned a message that was not sent: exchange %q, routing key %q",
			broker.ErrLost, r.Exchange, r.RoutingKey))
	}
}

// stalled ends the session if a return may have been dropped. It is asked after an answer was seen, whose return was dropped
// before.
func (s *sink) stalled() bool {
	if s.written != nil || !s.conn.wire.stalls.moreThan(s.stalls) {
		return false
	}
	s.inFlight.abandon(fmt.Errorf("%w: answers waited for longer than %v; did this process, or the machine, stand still?", broker.ErrLost, mostBusy))
	return true
}

// end settles what is left when the channel has closed.
func (s *sink) end(reply *amqp091.Error) {
	if s.stalled() {
		return
	}
	err := reason(reply)
	var only func(*confirm) error
	if replied(err) != nil && !s.conn.amqp.IsClosed() { // the channel alone
		only = func(c *confirm) error { return verdict(reply, len(c.message.Body), s.to == broker.Address{}) }
	}
	s.inFlight.end(lost(err, s.conn.wire), only)
}

// Send implements broker.Sink.
func (s *sink) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	if err := s.room(ctx); err != nil {
		return nil, err
	}
	exchange, key := s.route(m)
	s.sending.Lock()
	defer s.sending.Unlock()
	p, err := s.content.of(m, s.conn.amqp.Config.FrameSize)
	if err == nil && max(len(exchange), len(key)) > mostShort {
		err = fmt.Errorf("%w: an exchange or routing key of more than %d bytes", broker.ErrRefused, mostShort)
	}
	if err != nil {
		refused := new(broker.Answer)
		refused.Settle(err)
		return refused, nil
	}
	if s.written != nil {
		if err := s.inFlight.ended(); err != nil {
			return nil, err
		}
		if _, err := s.publish(exchange, key, p); err != nil {
			return nil, err
		}
		return s.written, nil
	}
	c := &confirm{message: m, exchange: exchange, key: key}
	if err := s.inFlight.add(c); err != nil {
		return nil, err
	}
	answer, err := s.publish(exchange, key, p)
	if err != nil { // the channel has closed, and watch settles c
		return nil, err
	}
	if s.inFlight.written(c, answer) {
		select {
		case s.begun <- struct{}{}:
		default:
		}
	}
	return c, nil
}

// publish writes a message. It holds none of our locks that watch takes: amqp091-go has its own, and its reader may wait
// for watch.
func (s *sink) publish(exchange, key string, p amqp091.Publishing) (*amqp091.DeferredConfirmation, error) {
	answer, err := s.ch.PublishWithDeferredConfirm(exchange, key, true, false, p)
	if err != nil {
		return nil, lost(err, s.conn.wire)
	}
	return answer, nil
}

// room waits while more has been written than the socket takes.
func (s *sink) room(ctx context.Context) error {
	for {
		reason, changed := s.conn.blocking.state()
		if reason != "" {
			return fmt.Errorf("%w: %s", broker.ErrBlocked, reason)
		}
		full := s.conn.wire.full()
		if full == nil {
			return nil
		}
		select {
		case <-full:
		case <-changed:
		case <-s.inFlight.over:
			return s.inFlight.ended()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// route is where m goes.
func (s *sink) route(m *broker.Message) (exchange, key string) {
	switch {
	case s.to.Exchange != "" && s.to.RoutingKey != "":
		return s.to.Exchange, s.to.RoutingKey
	case s.to.Exchange != "":
		return s.to.Exchange, m.RoutingKey
	case s.to.Queue != "":
		return "", s.to.Queue
	default:
		return m.Exchange, m.RoutingKey
	}
}

// Lost implements broker.Sink.
func (s *sink) Lost() <-chan struct{} { return s.inFlight.over }

// Blocked implements broker.Blocker.
func (s *sink) Blocked() (reason string, changed <-chan struct{}) { return s.conn.blocking.state() }

// Close implements broker.Sink.
func (s *sink) Close() error {
	s.once.Do(func() {
		s.inFlight.abandon(fmt.Errorf("%w: the sink was closed", broker.ErrLost))
		s.sending.Lock() // whoever sends has finished; nobody begins
		defer s.sending.Unlock()
		s.closing = s.pool.vacate(s.conn, s.ch)
	})
	return s.closing
}
