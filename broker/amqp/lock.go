package amqp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// A lock is the queue "weir: lock <name>" with a single active consumer: of the gateways that want the lock, RabbitMQ
// delivers to one, and to the next when that one's channel has gone. Whoever is delivered to is the owner, with three
// precautions.
//
//   - An owner that was cut off, or frozen, must know. Each candidate publishes a ping every pingEvery; only pings of its
//     own that come back renew the owner's lease, from when they were sent. While an alarm keeps it from publishing, an
//     answer on its consuming channel does instead, for that is when an overflow has work to do.
//   - The next owner waits for a lease before it begins, unless the last one left word that the lock is free.
//   - The owner keeps the last message unacked, until the next one comes. So there is always one that RabbitMQ delivers
//     to the next in line, also while nobody can publish, and none grows old enough for the consumer timeout.
const (
	pingEvery = 2 * time.Second
	lease     = 6 * time.Second
	// free is the body of the message that says that nobody owns the lock; any other is a ping.
	free = "free"
)

var errLapsed = fmt.Errorf("%w: the lock was not confirmed in time", broker.ErrLost)

// lock is one candidate, or the owner. Its fields belong to run.
type lock struct {
	broker *Broker
	queue  string
	id     string // begins the body of its pings

	in, out    *connection
	consume    *amqp091.Channel
	publish    *amqp091.Channel
	tag        string
	deliveries <-chan amqp091.Delivery

	sent   map[int]time.Time // its pings on their way
	last   int               // number of the last ping
	kept   uint64            // delivery tag of the last message, 0 before its turn has come
	proved time.Time         // when it was its turn for certain
	turn   *time.Timer       // runs out with the lease that the last owner may still have; nil before its turn
	clear  bool              // there is no other owner

	expiry *time.Timer   // ends the lease; nil before it is the owner
	owned  chan struct{} // closed when it is the owner
}

// Lock implements broker.Locker. Names are shared by all that use the virtual host. An error other than ctx's is worth another
// try.
func (b *Broker) Lock(ctx context.Context, name string) (context.Context, func(), error) {
	l, err := await(ctx, b.pool, func() (*lock, error) { return b.openLock(ctx, name) }, (*lock).close)
	if err != nil {
		return nil, nil, fmt.Errorf("lock %q: %w", name, err)
	}
	held, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	b.pool.running.Go(func() {
		defer close(ended)
		cancel(l.run(held, cancel))
	})
	release := func() {
		cancel(context.Canceled)
		<-ended
	}
	select {
	case <-l.owned:
		return held, release, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-held.Done():
		err = context.Cause(held)
	}
	release()
	return nil, nil, fmt.Errorf("lock %q: %w", name, err)
}

// openLock joins the queue of candidates.
func (b *Broker) openLock(ctx context.Context, name string) (*lock, error) {
	l := &lock{
		broker: b, queue: shorten(ownPrefix+"lock "+name, mostShort),
		id: rand.Text(), tag: consumerTag("lock " + name), sent: make(map[int]time.Time), owned: make(chan struct{}),
	}
	if err := l.open(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lock) open(ctx context.Context) (err error) {
	if l.in, err = l.broker.pool.acquire(ctx, order{role: consuming, link: "lock"}); err != nil {
		return err
	}
	if l.out, err = l.broker.pool.acquire(ctx, order{role: publishing, link: "lock"}); err != nil {
		return err
	}
	if l.publish, err = l.out.amqp.Channel(); err != nil {
		return l.out.explain(err)
	}
	if err := l.publish.Confirm(false); err != nil {
		return l.out.explain(err)
	}
	if err := l.declare(); err != nil {
		return err
	}
	l.broker.consumers.add(l.queue, l.tag)
	if err := l.ask(); err != nil {
		return err
	}
	if l.deliveries, err = l.consume.Consume(l.queue, l.tag, false, false, false, false, nil); err != nil {
		return l.in.explain(err)
	}
	return nil
}

// declare makes the queue if it is missing. A lock that is new is free.
func (l *lock) declare() (err error) {
	if l.consume, _, err = findQueue(l.in, l.queue); code(err) != amqp091.NotFound {
		if err != nil {
			err = l.in.explain(err)
		}
		return err
	}
	l.consume, err = ensureQueue(l.in, l.queue, false, broker.Table{
		amqp091.QueueTypeArg:            amqp091.QueueTypeQuorum,
		amqp091.SingleActiveConsumerArg: true,
		amqp091.QueueMaxLenArg:          int32(8),
		amqp091.QueueOverflowArg:        amqp091.QueueOverflowDropHead,
	})
	if err != nil {
		return err
	}
	return l.send(free)
}

// run takes part until ctx ends or ownership is lost, and returns why. lapse ends ctx when the lease runs out: run itself
// may be waiting for the broker then.
func (l *lock) run(ctx context.Context, lapse context.CancelCauseFunc) error {
	defer l.close()
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	l.turn = time.NewTimer(lease)
	l.turn.Stop()
	defer l.turn.Stop()
	l.expiry = time.AfterFunc(lease, func() { lapse(errLapsed) })
	l.expiry.Stop()
	defer l.expiry.Stop()
	if err := l.ping(); err != nil {
		return err
	}
	for {
		var err error
		select {
		case d, ok := <-l.deliveries:
			if !ok {
				return fmt.Errorf("%w: the lock's consumer has ended", broker.ErrLost)
			}
			err = l.receive(&d)
		case <-l.turn.C:
			l.clear = true
		case <-tick.C:
			err = l.ping()
		case <-ctx.Done():
			if !errors.Is(context.Cause(ctx), errLapsed) {
				l.leave()
			}
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		l.own()
	}
}

// receive handles a message: it is this candidate's turn.
func (l *lock) receive(d *amqp091.Delivery) error {
	if l.kept == 0 {
		l.turn.Reset(lease)
	} else if err := l.consume.Ack(l.kept, false); err != nil {
		return l.in.explain(err)
	}
	l.kept = d.DeliveryTag
	switch body := string(d.Body); {
	case body == free:
		// Whoever had it before and did not ack it may have been cut off, and not know.
		l.clear = l.clear || !d.Redelivered
	case strings.HasPrefix(body, l.id):
		n, _ := strconv.Atoi(body[len(l.id):])
		if sent, ok := l.sent[n]; ok {
			l.proved = sent
			delete(l.sent, n)
		}
	}
	return nil
}

// own makes this candidate the owner as soon as it may be, and prolongs its lease.
func (l *lock) own() {
	left := time.Until(l.proved.Add(lease))
	if !l.clear || left <= 0 {
		return
	}
	l.expiry.Reset(left)
	select {
	case <-l.owned:
	default:
		close(l.owned)
	}
}

// ping sends the next ping. While the broker takes none it asks the consuming channel whether it is still there; whoever's
// turn it was before, it still is.
func (l *lock) ping() error {
	now := time.Now()
	if reason, _ := l.out.blocking.state(); reason != "" {
		if err := l.ask(); err != nil {
			return err
		}
		if l.kept != 0 {
			l.proved = now
		}
		return nil
	}
	delete(l.sent, l.last-int(lease/pingEvery)-1) // too old to prove anything
	l.last++
	l.sent[l.last] = now
	return l.send(l.id + strconv.Itoa(l.last))
}

// ask makes a round trip on the consuming channel, and sets the prefetch: one message to keep, one to come, some to
// spare.
func (l *lock) ask() error {
	if err := l.consume.Qos(4, 0, false); err != nil {
		return l.in.explain(err)
	}
	return nil
}

func (l *lock) send(body string) error {
	if _, err := l.publish.PublishWithDeferredConfirm("", l.queue, false, false, amqp091.Publishing{
		DeliveryMode: amqp091.Persistent, Body: []byte(body),
	}); err != nil {
		return l.out.explain(err)
	}
	return nil
}

// leave gives up the lock, or the place in line. An owner leaves word, once it cannot be given it itself; whatever fails, the
// next owner waits for a lease.
func (l *lock) leave() {
	select {
	case <-l.owned:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_, err := await(ctx, l.broker.pool, func() (struct{}, error) { return struct{}{}, l.consume.Cancel(l.tag, false) }, nil)
	if reason, _ := l.out.blocking.state(); err == nil && reason == "" {
		_ = l.consume.Ack(l.kept, false)
		_ = l.send(free)
	}
}

// close gives up what openLock has got so far.
func (l *lock) close() {
	l.broker.consumers.remove(l.queue, l.tag)
	for _, side := range [...]struct {
		conn *connection
		ch   *amqp091.Channel
	}{{l.in, l.consume}, {l.out, l.publish}} {
		switch {
		case side.conn == nil:
		case side.ch == nil:
			l.broker.pool.release(side.conn)
		default:
			_ = l.broker.pool.vacate(side.conn, side.ch) // it is given up either way
		}
	}
}
