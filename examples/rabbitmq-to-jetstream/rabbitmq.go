package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"weir/tests/lab"
)

// rabbitMQ is a node, with a connection to it.
type rabbitMQ struct {
	nodes   lab.Shared
	node    *lab.Broker
	address string // for weir.yaml
	conn    *amqp.Connection
}

// startRabbitMQ starts a node of the newest RabbitMQ that this machine has, and declares the queues.
func startRabbitMQ(ctx context.Context) (r *rabbitMQ, err error) {
	r = new(rabbitMQ)
	for _, version := range slices.Backward(lab.Versions()) {
		if r.node, err = r.nodes.Start(ctx, version); !errors.Is(err, lab.ErrNotInstalled) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	r.address = fmt.Sprintf("amqp://127.0.0.1:%d", r.node.Nodes[0].AMQP)
	fmt.Printf("  RabbitMQ %s at %s\n", r.node.Release, r.address)
	if err := r.declare("orders", "orders.archive"); err != nil {
		r.nodes.Stop()
		return nil, err
	}
	return r, nil
}

func (r *rabbitMQ) stop() {
	_ = r.conn.Close()
	r.nodes.Stop()
}

func (r *rabbitMQ) declare(queues ...string) (err error) {
	if r.conn, err = amqp.Dial(r.node.URIs()[0]); err != nil {
		return err
	}
	ch, err := r.conn.Channel()
	if err != nil {
		return err
	}
	for _, queue := range queues {
		if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			return err
		}
	}
	return nil
}

// order makes the one with that number. Its headers have types that NATS does not know.
func order(id int) amqp.Publishing {
	return amqp.Publishing{
		MessageId: fmt.Sprintf("order-%04d", id), Type: "order.created", ContentType: "application/json", DeliveryMode: amqp.Persistent,
		Headers: amqp.Table{
			"region":   "eu",
			"customer": int32(1000 + id),
			"total":    amqp.Decimal{Scale: 2, Value: int32(995 + id)},
			"placed":   time.Unix(1_700_000_000+int64(id), 0),
			"gift":     id%2 == 0,
			"address":  amqp.Table{"city": "Utrecht", "floor": int16(3)},
		},
		Body: fmt.Appendf(nil, `{"order":%d}`, id),
	}
}

// number is the reverse of order's message id; -1 if it is none.
func number(messageID string) int {
	var id int
	if _, err := fmt.Sscanf(messageID, "order-%d", &id); err != nil {
		return -1
	}
	return id
}

// publish sends n orders to the queue orders, and returns when they are stored.
func (r *rabbitMQ) publish(ctx context.Context, n int) error {
	ch, err := r.conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	var confirms []*amqp.DeferredConfirmation
	for id := range n {
		confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", "orders", true, false, order(id))
		if err != nil {
			return err
		}
		confirms = append(confirms, confirm)
	}
	for _, confirm := range confirms {
		if stored, err := confirm.WaitContext(ctx); err != nil || !stored {
			return fmt.Errorf("the broker has not stored an order: %w", err)
		}
	}
	return nil
}

// consume takes n orders from a queue.
func (r *rabbitMQ) consume(ctx context.Context, queue string, n int) ([]amqp.Delivery, error) {
	ch, err := r.conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.Qos(500, 0, false); err != nil {
		return nil, err
	}
	deliveries, err := ch.ConsumeWithContext(ctx, queue, "", false, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	var orders []amqp.Delivery
	for d := range deliveries {
		if err := d.Ack(false); err != nil {
			return nil, err
		}
		if orders = append(orders, d); len(orders) == n {
			return orders, nil
		}
	}
	return nil, fmt.Errorf("%d of %d orders came: %w", len(orders), n, ctx.Err())
}

// typed lists headers with the types they have.
func typed(headers amqp.Table) string {
	var s strings.Builder
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		fmt.Fprintf(&s, "    %-10s %v (%T)\n", name, headers[name], headers[name])
	}
	return s.String()
}
