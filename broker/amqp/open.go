package amqp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// OpenSource implements broker.Broker. A queue that is missing and not Predeclared is declared, durable, with
// DeclareArgs. An exchange is received from through the address's queue, "weir: shovel <site>/<link>" if that is empty, bound
// with the routing key: durable, so that nothing published meanwhile is lost, and a quorum queue unless DeclareArgs have
// another x-queue-type.
//
// A stream is recognised by x-stream-offset among the ConsumerArgs, by an x-queue-type of stream among the DeclareArgs, or
// by the management API. Its source goes on after the last message that was settled, see offsets; x-stream-offset counts
// the first time only.
func (b *Broker) OpenSource(ctx context.Context, at broker.Address, o broker.SourceOptions) (broker.Source, error) {
	if err := foreign(at); err != nil {
		return nil, err
	}
	if at.Queue == "" && at.Exchange == "" {
		return nil, fmt.Errorf("a source needs a queue or an exchange: %w", broker.ErrUnsupported)
	}
	return await(ctx, b.pool, func() (broker.Source, error) {
		s, err := b.openSource(ctx, at, o)
		if err != nil {
			return nil, err
		}
		return s, nil
	}, func(s broker.Source) { _ = s.Close() })
}

func (b *Broker) openSource(ctx context.Context, at broker.Address, o broker.SourceOptions) (broker.Source, error) {
	s, err := b.openAs(ctx, at, o, true)
	if errors.Is(err, errNotClassic) {
		return b.openAs(ctx, at, o, false)
	}
	return s, err
}

// openAs opens a source. A queue of which nobody can tell what it is, is a classic one if guess says so: errNotClassic if RabbitMQ 3
// disagrees.
func (b *Broker) openAs(ctx context.Context, at broker.Address, o broker.SourceOptions, guess bool) (broker.Source, error) {
	args, err := toTable(o.ConsumerArgs)
	if err != nil {
		return nil, fmt.Errorf("consumer arguments: %w: %w", broker.ErrUnsupported, err)
	}
	conn, err := b.pool.acquire(ctx, order{role: consuming, link: o.Link, alone: o.Alone})
	if err != nil {
		return nil, err
	}
	ch, queue, err := origin(conn, at, o)
	if err != nil {
		b.pool.release(conn)
		return nil, err
	}
	s := &source{
		broker: b, conn: conn, ch: ch, queue: queue, link: o.Link, scope: b.config.VHost + "/" + queue, args: args,
		cancelled: ch.NotifyCancel(make(chan string, 4)),
		closed:    ch.NotifyClose(make(chan *amqp091.Error, 1)),
	}
	kind, err := b.nature(ctx, queue, o)
	if err != nil && (o.Buffer || kind.single) { // the careful guess
		kind.single = true
	}
	if s.stream = kind.stream; s.stream {
		return b.openStream(ctx, s, o)
	}
	if s.guessed = guess && !kind.known; conn.rabbitMQ() == 3 && (s.guessed || kind.classic()) {
		s.args = cancelledOnFailover(s.args)
	}
	if kind.single {
		return openSingle(s, o, kind)
	}
	if err := s.begin(o.Window); err != nil {
		_ = s.Close()
		return nil, err
	}
	return &resizable{s}, nil
}

// nature is what AMQP does not tell of a queue.
type nature struct {
	known  bool // the broker has told
	stream bool
	quorum bool
	single bool // it has a single active consumer
}

// nature asks the management API, unless the link says that it is a stream. With an error it is what the link says.
func (b *Broker) nature(ctx context.Context, queue string, o broker.SourceOptions) (n nature, err error) {
	_, offset := o.ConsumerArgs[streamOffset]
	n.stream = offset || o.DeclareArgs[amqp091.QueueTypeArg] == amqp091.QueueTypeStream
	n.single, _ = o.DeclareArgs[amqp091.SingleActiveConsumerArg].(bool)
	if n.stream {
		return n, nil
	}
	m, err := b.api()
	if err != nil {
		return n, err
	}
	q, err := m.queue(ctx, b.config.VHost, queue)
	if err != nil {
		return n, err
	}
	n.known = true
	n.stream = q.Type == amqp091.QueueTypeStream
	n.quorum = q.Type == amqp091.QueueTypeQuorum
	n.single, _ = q.Arguments[amqp091.SingleActiveConsumerArg].(bool) // the queue's own, whatever the link says
	return n, nil
}

func (n nature) classic() bool { return n.known && !n.stream && !n.quorum }

// errNotClassic: a consumer with an argument for classic queues was refused.
var errNotClassic = errors.New("no classic queue")

// cancelledOnFailover are the arguments of a consumer that ends when another mirror of its queue becomes the leader. RabbitMQ 3
// would go on by itself, on the same channel: with new deliveries of what is held here, whose acks would mean other messages
// to the new leader.
func cancelledOnFailover(args amqp091.Table) amqp091.Table {
	const argument = "x-cancel-on-ha-failover"
	if _, declared := args[argument]; declared {
		return args
	}
	more := amqp091.Table{argument: true}
	maps.Copy(more, args)
	return more
}

// origin opens a channel and makes sure that there is a queue to consume from.
func origin(conn *connection, at broker.Address, o broker.SourceOptions) (*amqp091.Channel, string, error) {
	if at.Exchange == "" || o.Buffer {
		ch, err := ensureQueue(conn, at.Queue, o.Predeclared || o.Buffer, o.DeclareArgs)
		return ch, at.Queue, err
	}
	if ch, err := findExchange(conn, at.Exchange); err != nil {
		return nil, "", err
	} else if err := ch.Close(); err != nil {
		return nil, "", conn.explain(err)
	}
	args := o.DeclareArgs
	if _, ok := args[amqp091.QueueTypeArg]; !ok {
		args = args.With(amqp091.QueueTypeArg, amqp091.QueueTypeQuorum)
	}
	queue := at.Queue
	if queue == "" {
		queue = ownName("shovel", o.Site, o.Link)
	}
	ch, err := ensureQueue(conn, queue, false, args)
	if err != nil {
		return nil, "", err
	}
	if err := ch.QueueBind(queue, at.RoutingKey, at.Exchange, false, nil); err != nil {
		_ = ch.Close()
		return nil, "", conn.explain(err)
	}
	return ch, queue, nil
}

// consumerTag tells weir's consumers from others (see depth.go) and from one another.
func consumerTag(link string) string {
	return shorten(ownPrefix+link+" "+rand.Text()[:8], mostShort)
}
