package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"weir/tests/lab"
)

// region is a RabbitMQ node, and what the shop runs on it.
type region struct {
	name    string
	node    *lab.Broker
	address string // of the node, for weir.yaml
	conn    *amqp.Connection
	looking *amqp.Channel // for ready

	mu     sync.Mutex
	orders []int // as they were consumed
}

// startRegion starts a node of the newest RabbitMQ that this machine has, and declares exchange and queue.
func startRegion(ctx context.Context, name string, nodes *lab.Shared) (*region, error) {
	node, err := startNode(ctx, nodes)
	if err != nil {
		return nil, err
	}
	r := &region{name: name, node: node, address: fmt.Sprintf("amqp://127.0.0.1:%d", node.Nodes[0].AMQP)}
	fmt.Printf("  %s: RabbitMQ %s at %s\n", name, node.Release, r.address)
	return r, r.declare()
}

func startNode(ctx context.Context, nodes *lab.Shared) (node *lab.Broker, err error) {
	for _, version := range slices.Backward(lab.Versions()) {
		if node, err = nodes.Start(ctx, version); !errors.Is(err, lab.ErrNotInstalled) {
			break
		}
	}
	return node, err
}

// declare makes the queue orders, bound to the exchange orders.
func (r *region) declare() (err error) {
	if r.conn, err = amqp.Dial(r.node.URIs()[0]); err != nil {
		return err
	}
	if r.looking, err = r.conn.Channel(); err != nil {
		return err
	}
	if err := r.looking.ExchangeDeclare("orders", "topic", true, false, false, false, nil); err != nil {
		return err
	}
	if _, err := r.looking.QueueDeclare("orders", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		return err
	}
	return r.looking.QueueBind("orders", "order.#", "orders", false, nil)
}

func (r *region) close() { _ = r.conn.Close() }

// publish sends n orders, as fast as the broker confirms them.
func (r *region) publish(ctx context.Context, n int) error {
	ch, err := r.conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	for id := 0; id < n; {
		var batch []*amqp.DeferredConfirmation
		for ; id < n && len(batch) < 500; id++ {
			confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "orders", "order.created", true, false, amqp.Publishing{
				MessageId: strconv.Itoa(id), DeliveryMode: amqp.Persistent, Body: fmt.Appendf(nil, "order %d", id),
			})
			if err != nil {
				return err
			}
			batch = append(batch, confirm)
		}
		for _, confirm := range batch {
			if stored, err := confirm.WaitContext(ctx); err != nil || !stored {
				return fmt.Errorf("the broker has not stored an order: %w", err)
			}
		}
	}
	return nil
}

// consume works on orders, so many a second, until ctx ends.
func (r *region) consume(ctx context.Context, perSecond int) error {
	ch, err := r.conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Qos(50, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.ConsumeWithContext(ctx, "orders", "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	work := time.NewTicker(time.Second / time.Duration(perSecond))
	defer work.Stop()
	for d := range deliveries {
		<-work.C
		id, err := strconv.Atoi(d.MessageId)
		if err != nil {
			return err
		}
		if err := d.Ack(false); err != nil {
			return err
		}
		r.mu.Lock()
		r.orders = append(r.orders, id)
		r.mu.Unlock()
	}
	return ctx.Err()
}

// consumed lists the orders that were worked on.
func (r *region) consumed() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.orders)
}

// ready is how many orders wait.
func (r *region) ready() int {
	q, err := r.looking.QueueDeclarePassive("orders", true, false, false, false, nil)
	if err != nil {
		return -1
	}
	return q.Messages
}

func (r *region) String() string {
	return fmt.Sprintf("%s: %5d ready, %5d consumed", r.name, r.ready(), len(r.consumed()))
}
