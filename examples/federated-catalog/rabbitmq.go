package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"weir/tests/lab"
)

// rabbitMQ is a region on RabbitMQ. Its shop has a queue, bound to the exchange catalog.
type rabbitMQ struct {
	name  string
	nodes lab.Shared
	node  *lab.Broker
	conn  *amqp.Connection
	ch    *amqp.Channel // to declare and to publish

	shelf
}

// shelf is what a shop has got.
type shelf struct {
	mu    sync.Mutex
	items []string
}

func (s *shelf) put(item string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = append(s.items, item)
}

func (s *shelf) stock() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.items)
}

// startRabbitMQ starts a node of the newest RabbitMQ that this machine has, and opens the shop.
func startRabbitMQ(ctx context.Context, name string) (_ region, err error) {
	r := &rabbitMQ{name: name}
	for _, version := range slices.Backward(lab.Versions()) {
		if r.node, err = r.nodes.Start(ctx, version); !errors.Is(err, lab.ErrNotInstalled) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if err := r.open(); err != nil {
		r.stop()
		return nil, err
	}
	fmt.Printf("  %s: RabbitMQ %s at %s\n", name, r.node.Release, r.address())
	return r, nil
}

// open declares exchange and queue, and begins to consume.
func (r *rabbitMQ) open() (err error) {
	if r.conn, err = amqp.Dial(r.node.URIs()[0]); err != nil {
		return err
	}
	if r.ch, err = r.conn.Channel(); err != nil {
		return err
	}
	if err := r.ch.Confirm(false); err != nil {
		return err
	}
	if err := r.ch.ExchangeDeclare("catalog", "topic", true, false, false, false, nil); err != nil {
		return err
	}
	if _, err := r.ch.QueueDeclare("shop", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		return err
	}
	consuming, err := r.conn.Channel()
	if err != nil {
		return err
	}
	deliveries, err := consuming.Consume("shop", "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	go func() { // until the connection is closed
		for d := range deliveries {
			r.put(string(d.Body))
			_ = d.Ack(false)
		}
	}()
	return nil
}

func (r *rabbitMQ) stop() {
	if r.conn != nil {
		_ = r.conn.Close()
	}
	r.nodes.Stop()
}

func (r *rabbitMQ) address() string { return fmt.Sprintf("amqp://127.0.0.1:%d", r.node.Nodes[0].AMQP) }

func (r *rabbitMQ) variables() map[string]string {
	prefix := strings.ToUpper(r.name)
	return map[string]string{
		prefix + "_URI":        r.address(),
		prefix + "_USERNAME":   r.node.Username,
		prefix + "_PASSWORD":   r.node.Password,
		prefix + "_MANAGEMENT": fmt.Sprintf("http://127.0.0.1:%d", r.node.Nodes[0].Management),
	}
}

func (r *rabbitMQ) sell(_ context.Context, kind string) error {
	return r.ch.QueueBind("shop", "*."+kind, "catalog", false, nil)
}

func (r *rabbitMQ) publish(ctx context.Context, kind string, items []string) error {
	var confirms []*amqp.DeferredConfirmation
	for _, item := range items {
		confirm, err := r.ch.PublishWithDeferredConfirmWithContext(ctx, "catalog", r.name+"."+kind, false, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(item)})
		if err != nil {
			return err
		}
		confirms = append(confirms, confirm)
	}
	for _, confirm := range confirms {
		if stored, err := confirm.WaitContext(ctx); err != nil || !stored {
			return fmt.Errorf("the broker has not stored an item: %w", err)
		}
	}
	return nil
}
