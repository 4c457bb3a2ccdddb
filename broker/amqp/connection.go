package amqp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// closeTimeout bounds how long a Close waits for the broker's goodbye.
const closeTimeout = 3 * time.Second

// role says what a connection is for. RabbitMQ stops reading from connections that publish while it is out of memory or
// disk; acks and consumers must not wait behind them.
type role int

const (
	consuming role = iota
	publishing
)

func (r role) String() string { return [...]string{"consume", "publish"}[r] }

// order is what a session asks of a connection.
type order struct {
	role  role
	link  string // whose session it is, for the connection's name
	alone bool   // a connection that no other session uses
	vhost string // another one than the broker's
}

// pool has the connections of one Broker. A connection is dialled when the first session needs it and closed when the
// last has left.
type pool struct {
	dialer *dialer
	limit  int // sessions a connection

	running sync.WaitGroup // every goroutine of the driver

	mu     sync.Mutex
	closed bool
	open   []*connection
}

func newPool(d *dialer, limit int) *pool { return &pool{dialer: d, limit: limit} }

var errClosed = errors.New("the broker has been closed")

// connection is one AMQP connection, shared by sessions. run owns it.
type connection struct {
	order
	sessions int                // guarded by pool.mu
	leave    context.CancelFunc // ends run: the last session has left

	ready    chan struct{} // closed when amqp and wire are set, or err
	amqp     *amqp091.Connection
	wire     *wire
	err      error
	blocking blocking
}

// acquire returns a connection with a seat for one more session. release gives the seat back.
func (p *pool) acquire(ctx context.Context, o order) (*connection, error) {
	c, err := p.seat(o)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.ready:
		err = c.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		p.release(c)
		return nil, err
	}
	return c, nil
}

// seat finds a connection, or begins a new one.
func (p *pool) seat(o order) (*connection, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	for _, c := range p.open {
		if c.role == o.role && c.vhost == o.vhost && !c.alone && !o.alone && c.sessions < p.limit && c.answers() {
			c.sessions++
			return c, nil
		}
	}
	// Not the context of whoever asked first: others may join while it dials.
	ctx, leave := context.WithCancel(context.Background())
	c := &connection{order: o, sessions: 1, leave: leave, ready: make(chan struct{})}
	p.open = append(p.open, c)
	p.running.Go(func() { p.run(ctx, c) })
	return c, nil
}

// answers: a session that joins can hope for an answer. The broker does not read from a connection that it has blocked, and
// run is about to find out about one that has gone.
func (c *connection) answers() bool {
	if reason, _ := c.blocking.state(); reason != "" {
		return false
	}
	select {
	case <-c.ready:
		return c.err == nil && !c.amqp.IsClosed()
	default:
		return true
	}
}

// release gives back a seat.
func (p *pool) release(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.sessions--
	if c.sessions == 0 {
		p.remove(c)
		c.leave()
	}
}

// remove makes sure that no new session joins c. The caller holds mu.
func (p *pool) remove(c *connection) {
	p.open = slices.DeleteFunc(p.open, func(other *connection) bool { return other == c })
}

// run dials a connection, watches it, and closes it in the end.
func (p *pool) run(ctx context.Context, c *connection) {
	defer func() {
		p.mu.Lock()
		p.remove(c)
		p.mu.Unlock()
		c.leave()
	}()
	c.amqp, c.wire, c.err = p.dialer.dial(ctx, c.order)
	if c.err != nil {
		close(c.ready)
		return
	}
	blocked := c.amqp.NotifyBlocked(make(chan amqp091.Blocking, 8))
	closed := c.amqp.NotifyClose(make(chan *amqp091.Error, 1))
	close(c.ready)
	for {
		select {
		case b, ok := <-blocked:
			if !ok {
				blocked = nil
				continue
			}
			c.blocking.set(b)
		case err := <-closed:
			_ = err // its channels tell the sessions
			return
		case <-ctx.Done():
			c.close()
			return
		}
	}
}

// name is what the broker's tools call the connection.
func (o order) name() string {
	if o.alone {
		return fmt.Sprintf("weir: %s (%s, alone)", o.link, o.role)
	}
	return fmt.Sprintf("weir: %s (%s, first of several)", o.link, o.role)
}

// close says goodbye, unless the broker would not read it.
func (c *connection) close() {
	if reason, _ := c.blocking.state(); reason != "" {
		_ = c.wire.SetDeadline(time.Now())
	} else {
		_ = c.wire.SetDeadline(time.Now().Add(closeTimeout))
	}
	_ = c.amqp.Close() // an error says that the connection was lost first
}

// vacate closes a session's channel and gives back its seat. It returns when the broker has agreed, so what was settled
// before is settled and the rest given back; but waits no longer than closeTimeout, and not at all for a broker that has
// stopped reading. The channel then closes later, at the latest with its connection.
func (p *pool) vacate(c *connection, ch *amqp091.Channel) error {
	p.mu.Lock()
	if p.closed { // the connection ends, and the channel with it
		p.mu.Unlock()
		p.release(c)
		return nil
	}
	done := make(chan error, 1)
	p.running.Go(func() {
		done <- ch.Close()
		p.release(c)
	})
	p.mu.Unlock()

	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	for {
		reason, changed := c.blocking.state()
		if reason != "" {
			return nil
		}
		select {
		case err := <-done:
			if err != nil {
				return lost(err, c.wire)
			}
			return nil
		case <-changed:
		case <-timeout.C:
			return fmt.Errorf("the broker has not answered channel.close within %v", closeTimeout)
		}
	}
}

// begin runs something beside, unless the pool is closed; close waits for it.
func (p *pool) begin(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.running.Go(f)
	}
}

// close closes every connection, whoever uses it, and waits for every goroutine.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for _, c := range p.open {
		c.leave()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// await returns what call returns, or ctx's error as soon as ctx ends: amqp091-go waits for a broker's answer as long as
// the connection lives. A call that was left behind goes on; undo gets its result.
func await[T any](ctx context.Context, p *pool, call func() (T, error), undo func(T)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return none, errClosed
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result)
	p.running.Go(func() {
		value, err := call()
		select {
		case done <- result{value, err}:
		case <-ctx.Done():
			if err == nil && undo != nil {
				undo(value)
			}
		}
	})
	p.mu.Unlock()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
