package jetstream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// OpenSource implements broker.Broker. What is missing is declared, unless o.Predeclared; what exists is used as it is.
func (b *Broker) OpenSource(ctx context.Context, at broker.Address, o broker.SourceOptions) (broker.Source, error) {
	stream, consumer, err := b.locate(ctx, at, o)
	if err == nil {
		err = usable(consumer)
	}
	if err != nil {
		return nil, err
	}
	c, err := b.receiving.acquire(ctx, o.Alone)
	if err != nil {
		return nil, err
	}
	s := &Source{
		b: b, conn: c, at: b.place(consumer), heard: time.Now(), before: consumer.Delivered.Consumer,
		log:   b.log.With("link", o.Link, "stream", stream.Config.Name, "consumer", consumer.Name),
		inbox: nats.NewInbox() + ".", ended: make(chan struct{}),
		wake: make(chan struct{}, 1), settled: make(chan struct{}, 1), doubt: make(chan struct{}, 1),
	}
	s.at.yields(consumer, o.ConsumerArgs)
	if o.Buffer && consumer.Config.Metadata[singleKey] != "" {
		s.standing = true
		s.at.expires = turnWait
	}
	s.window = s.at.bounded(o.Window)
	if s.window < o.Window {
		s.log.Warn("window is cut by the consumer's max-ack-pending", "window", s.window, "wanted", o.Window)
	}
	if n := consumer.Config.MaxDeliver; n > 0 {
		s.log.Warn("the consumer gives up a message after so many deliveries, and what a lost session held counts as delivered", "max-deliver", n)
	}
	s.read = newReader(b.names, stream, consumer, s.log)
	if err := s.start(); err != nil {
		b.receiving.release(c)
		return nil, err
	}
	if err := b.opened(s); err != nil {
		return nil, err
	}
	return s, nil
}

// OpenSink implements broker.Broker. A queue or an exchange that is missing is declared, unless o.Predeclared: an exchange
// of JetStream is a stream like any other.
func (b *Broker) OpenSink(ctx context.Context, at broker.Address, o broker.SinkOptions) (broker.Sink, error) {
	to, err := b.destination(at)
	if err != nil {
		return nil, err
	}
	s := &Sink{
		b: b, to: to, unconfirmed: o.Unconfirmed, ended: make(chan struct{}), room: make(chan struct{}, 1), lost: make(chan struct{}),
		id: identity{site: o.Site, byMessageID: o.DeduplicateBy == "message-id"}, routes: routes{b: b},
	}
	if err := b.target(ctx, at, o, &s.routes); err != nil {
		return nil, err
	}
	if s.conn, err = b.sending.acquire(ctx, o.Alone); err != nil {
		return nil, err
	}
	s.slots.prefix = nats.NewInbox() + "."
	if s.sub, err = subscribe(s.conn.nats, s.slots.prefix+"*", s.onAnswer, s.ended); err != nil {
		b.sending.release(s.conn)
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(b.ctx)
	s.stop = s.conn.watch(&watcher{lost: s.fail, refused: s.refused})
	if err := b.opened(s); err != nil {
		return nil, err
	}
	return s, nil
}

// Node implements broker.Connected.
func (s *Source) Node() string { return s.conn.node }

// Node implements broker.Connected.
func (s *Sink) Node() string { return s.conn.node }

// target finds, or declares, the stream that a sink has named. Where it has named none, streams are looked for when
// there is something to send.
func (b *Broker) target(ctx context.Context, at broker.Address, o broker.SinkOptions, r *routes) error {
	var stream *jetstream.StreamInfo
	var err error
	switch {
	case at.Queue != "":
		stream, err = b.targetQueue(ctx, at.Queue, o)
	case at.Exchange != "":
		if stream, err = b.locateExchange(ctx, at.Exchange, o.Predeclared); err == nil {
			err = b.anchor(ctx, stream)
		}
	case at.Subject != "":
		stream, err = b.capturing(ctx, at.Subject)
		if isNotFound(err) && !o.Predeclared { // its owner may make it yet
			return nil
		}
	default:
		_, err = b.manage(ctx) // wrong credentials show here, and not with the first message
		return err
	}
	if err == nil {
		_, err = r.add(stream)
	}
	return err
}

// targetQueue declares the stream of a queue, and where that is weir's own also the consumer, so that its depth can be
// read before anybody has received.
func (b *Broker) targetQueue(ctx context.Context, queue string, o broker.SinkOptions) (*jetstream.StreamInfo, error) {
	config, err := b.queueStream(queue, o.DeclareArgs)
	if err != nil {
		return nil, err
	}
	if o.Predeclared {
		return b.existingStream(ctx, config.Name)
	}
	stream, err := b.declareStream(ctx, config)
	if err == nil && stream.Config.Metadata[metadataKey] != "" {
		_, err = b.declareConsumer(ctx, config.Name, b.durable(b.names.durable(queue)))
	}
	return stream, err
}

// subscribe has the connection call f with each message, in order and from one goroutine. ended is closed when f is
// called no more.
func subscribe(nc *nats.Conn, subject string, f nats.MsgHandler, ended chan struct{}) (*nats.Subscription, error) {
	sub, err := nc.Subscribe(subject, f)
	if err != nil {
		return nil, err
	}
	_ = sub.SetPendingLimits(-1, -1) // what may come is bounded by what has been asked for
	end := sync.OnceFunc(func() { close(ended) })
	sub.SetClosedHandler(func(string) { end() })
	if !sub.IsValid() { // closed before it had the handler
		end()
	}
	return sub, nil
}

// hearOfChanges has keep look at the consumer when it has been deleted or made. That is for a session that has no request
// open, which would end: it stands by, or its window is full. A stream that is deleted may not get to telling of its
// consumers; one that is made anew tells.
func (s *Source) hearOfChanges() {
	for i, change := range []string{"CREATED.", "DELETED."} {
		s.changes[i], _ = s.conn.nats.Subscribe(consumerAdvisory+change+s.at.stream+"."+s.at.consumer, func(*nats.Msg) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.doubted(errors.New("it has been made or deleted"))
		})
	}
}

// start subscribes and asks for the first messages, after what an earlier session left unsettled has been given back, or
// when the session has its turn.
func (s *Source) start() (err error) {
	nc := s.conn.nats
	if s.sub, err = subscribe(nc, s.inbox+"*", s.onMessage, s.ended); err != nil {
		return err
	}
	s.answerPulls()
	s.hearOfChanges()
	s.ctx, s.cancel = context.WithCancel(s.b.ctx)
	s.stop = s.conn.watch(&watcher{lost: func(err error) { _ = s.fail(err) }, refused: s.refused})
	s.keeping.Go(s.keep)
	if s.standing {
		s.keeping.Go(s.stand)
		return nil
	}
	if rest := s.b.leftovers.take(s.at.key(), s.at.ackWait); len(rest) > 0 {
		_ = giveBack(nc, rest) // if it cannot be told, their ack wait brings them back
	}
	s.mu.Lock()
	s.refill()
	s.mu.Unlock()
	return nil
}
