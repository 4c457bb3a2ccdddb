package shop

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"weir/tests/lab"
)

// Rabbit is a region on RabbitMQ. It reconnects, as an application would.
type Rabbit struct{ VHost *lab.VHost }

// YAML declares the region's broker for weir.
func (r Rabbit) YAML() string {
	var uris []string
	for _, n := range r.VHost.Broker.Nodes {
		uris = append(uris, fmt.Sprintf("amqp://127.0.0.1:%d", n.AMQP))
	}
	return fmt.Sprintf("{type: rabbitmq, uris: [%s], vhost: %q, username: %q, password: %q, cluster-name: %s,\n"+
		"       management: {uris: [%s]}}",
		strings.Join(uris, ", "), r.VHost.Name, r.VHost.Username, r.VHost.Password, r.VHost.Broker.Name,
		strings.Join(quoted(r.VHost.Management()), ", "))
}

func quoted(s []string) []string {
	q := make([]string, len(s))
	for i := range s {
		q[i] = strconv.Quote(s[i])
	}
	return q
}

// Declare makes a quorum queue, bound to an exchange of the same name.
func (r Rabbit) Declare(t *testing.T, queue string) {
	t.Helper()
	ch := r.VHost.Channel()
	if err := ch.ExchangeDeclare(queue, "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	if err := ch.QueueBind(queue, "order.#", queue, false, nil); err != nil {
		t.Fatal(err)
	}
}

// channel dials the first node that answers.
func (r Rabbit) channel() (*amqp.Connection, *amqp.Channel, error) {
	var errs []error
	for _, uri := range r.VHost.URIs() {
		conn, err := amqp.DialConfig(uri, amqp.Config{Heartbeat: 5 * time.Second})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ch, err := conn.Channel()
		if err == nil {
			return conn, ch, nil
		}
		_ = conn.Close()
		errs = append(errs, err)
	}
	return nil, nil, errors.Join(errs...)
}

// Publish implements Region.
func (r Rabbit) Publish(ctx context.Context, from, to int) error {
	for from < to && ctx.Err() == nil {
		confirmed, err := r.publishOnce(ctx, from, to)
		from += confirmed
		if err != nil && !again(ctx) {
			return err
		}
	}
	return ctx.Err()
}

// publishOnce publishes through one connection, in batches, and returns how many were confirmed in a row.
func (r Rabbit) publishOnce(ctx context.Context, from, to int) (confirmed int, err error) {
	conn, ch, err := r.channel()
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if err := ch.Confirm(false); err != nil {
		return 0, err
	}
	const batch = 500
	for at := from; at < to; at += batch {
		var pending []*amqp.DeferredConfirmation
		for id := at; id < min(at+batch, to); id++ {
			c, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", "orders", true, false, amqp.Publishing{
				DeliveryMode: amqp.Persistent, MessageId: strconv.Itoa(id), Type: "order",
				Headers: amqp.Table{"customer": int32(id % 100)}, Body: []byte(strings.Repeat("x", 256)),
			})
			if err != nil {
				return confirmed, err
			}
			pending = append(pending, c)
		}
		for _, c := range pending {
			ok, err := c.WaitContext(ctx)
			if err != nil {
				return confirmed, err
			}
			if !ok {
				return confirmed, errors.New("not confirmed")
			}
			confirmed++
		}
	}
	return confirmed, nil
}

// Consume implements Region.
func (r Rabbit) Consume(ctx context.Context, queue string, perSecond int, note func(int)) error {
	wait, stop := Pacer(perSecond)
	defer stop()
	for {
		err := r.consumeOnce(ctx, queue, wait, note)
		if ctx.Err() != nil {
			return nil
		}
		if !again(ctx) {
			return err
		}
	}
}

// consumeOnce consumes through one connection until it is lost or ctx ends. An order counts once its ack was sent.
func (r Rabbit) consumeOnce(ctx context.Context, queue string, wait func(context.Context), note func(int)) error {
	conn, ch, err := r.channel()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := ch.Qos(20, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.ConsumeWithContext(ctx, queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case d, ok := <-deliveries:
			if !ok {
				return errors.New("consumer lost")
			}
			wait(ctx)
			id, err := strconv.Atoi(d.MessageId)
			if err != nil {
				return err
			}
			if err := d.Ack(false); err != nil {
				return err
			}
			note(id)
		}
	}
}

// again waits a moment before another connection.
func again(ctx context.Context) bool {
	timer := time.NewTimer(200 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
