package amqp

import (
	"context"
	"fmt"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// mostProbes bounds how many passive declares are under way at a time.
const mostProbes = 8

// probes count queues. Their channels are kept for the next question: depths are asked for every second.
type probes struct {
	pool  *pool
	slots chan struct{} // one for each that is under way
	idle  chan *probe

	mu     sync.Mutex
	silent map[string]chan struct{} // by queue: closed when it has answered what nobody waits for any more
}

// probe is a seat on a connection, and a channel on it until a queue that was not there has cost it.
type probe struct {
	conn *connection
	ch   *amqp091.Channel
}

func newProbes(p *pool) *probes {
	return &probes{
		pool: p, slots: make(chan struct{}, mostProbes), idle: make(chan *probe, mostProbes), silent: make(map[string]chan struct{}),
	}
}

// count asks how many messages are ready in a queue, and how many consumers it has. A classic queue on a node that is down
// leaves RabbitMQ from 4.0 on without an answer for a minute. Such a queue is not asked again before, or it would soon have
// every slot.
func (p *probes) count(ctx context.Context, queue string) (amqp091.Queue, error) {
	if err := p.awaitSilent(ctx, queue); err != nil {
		return amqp091.Queue{}, err
	}
	return await(ctx, p.pool, func() (amqp091.Queue, error) {
		ended := make(chan struct{})
		defer p.ended(queue, ended)
		defer context.AfterFunc(ctx, func() { p.left(queue, ended) })()
		return p.ask(ctx, queue)
	}, nil)
}

// left notes that a queue has not answered in time.
func (p *probes) left(queue string, ended chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !isClosed(ended) {
		p.silent[queue] = ended
	}
}

// ended notes that it has answered.
func (p *probes) ended(queue string, ended chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(ended)
	if p.silent[queue] == ended {
		delete(p.silent, queue)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// awaitSilent waits while a queue owes an answer to somebody who has left.
func (p *probes) awaitSilent(ctx context.Context, queue string) error {
	p.mu.Lock()
	ended, owes := p.silent[queue]
	p.mu.Unlock()
	if !owes {
		return nil
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("queue %q has not answered what was asked before; its node may be down: %w", queue, ctx.Err())
	}
}

// ask makes the passive declare.
func (p *probes) ask(ctx context.Context, queue string) (amqp091.Queue, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return amqp091.Queue{}, ctx.Err()
	}
	probe, err := p.take(ctx)
	if err != nil {
		return amqp091.Queue{}, err
	}
	q, err := probe.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		err = probe.conn.explain(err)
	}
	p.put(probe)
	return q, err
}

// take returns a probe that was idle, or a new one, with a channel.
func (p *probes) take(ctx context.Context) (*probe, error) {
	pr, err := p.seated(ctx)
	if err != nil {
		return nil, err
	}
	if pr.ch != nil && !pr.ch.IsClosed() {
		return pr, nil
	}
	if pr.ch, err = pr.conn.amqp.Channel(); err != nil {
		err = pr.conn.explain(err)
		p.pool.release(pr.conn)
		return nil, err
	}
	return pr, nil
}

// seated returns a probe that was idle, unless its connection has been lost meanwhile, or a new one.
func (p *probes) seated(ctx context.Context) (*probe, error) {
	for {
		select {
		case pr := <-p.idle:
			if !pr.conn.amqp.IsClosed() {
				return pr, nil
			}
			p.pool.release(pr.conn)
		default:
			conn, err := p.pool.acquire(ctx, order{role: consuming, link: "depth"})
			if err != nil {
				return nil, err
			}
			return &probe{conn: conn}, nil
		}
	}
}

// put keeps a probe for later, unless its connection was lost.
func (p *probes) put(pr *probe) {
	if pr.conn.amqp.IsClosed() {
		p.pool.release(pr.conn)
		return
	}
	p.idle <- pr // never blocks: there are as many places as slots
}
