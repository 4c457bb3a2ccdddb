package chaos

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/tests/lab"
)

// stream is what a publisher sends, each order once: one that was not confirmed is followed by the next, so that whatever
// arrives twice has been doubled on its way.
type stream struct {
	vhost         *lab.VHost
	exchange, key string
	stop          func()

	mu        sync.Mutex
	sent      int
	confirmed []int
}

// publish begins a stream of a few hundred orders a second, which goes on until stop.
func publish(t *testing.T, vhost *lab.VHost, exchange, key string) *stream {
	t.Helper()
	s := &stream{vhost: vhost, exchange: exchange, key: key}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			s.connected(ctx)
		}
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(s.stop)
	return s
}

// connected publishes through one connection until it fails.
func (s *stream) connected(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	conn, err := dialAny(s.vhost)
	if err != nil {
		<-tick.C
		return
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil || ch.Confirm(false) != nil {
		return
	}
	returned := ch.NotifyReturn(make(chan amqp091.Return, 64))
	for ctx.Err() == nil {
		if s.batch(ctx, ch, returned) != nil {
			return
		}
		<-tick.C
	}
}

// batch publishes a few orders and notes those that were confirmed and not returned.
func (s *stream) batch(ctx context.Context, ch *amqp091.Channel, returned <-chan amqp091.Return) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	pending := map[int]*amqp091.DeferredConfirmation{}
	for range 20 {
		id := s.next()
		c, err := ch.PublishWithDeferredConfirm(s.exchange, s.key, true, false, amqp091.Publishing{
			DeliveryMode: amqp091.Persistent, MessageId: strconv.Itoa(id), Body: []byte(body(id)),
		})
		if err != nil {
			return err
		}
		pending[id] = c
	}
	var good []int
	var failed error
	for id, c := range pending {
		switch ok, err := c.WaitContext(ctx); {
		case err != nil:
			failed = err
		case ok:
			good = append(good, id)
		}
	}
	lost := map[int]bool{}
	for len(returned) > 0 {
		id, _ := strconv.Atoi((<-returned).MessageId)
		lost[id] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range good {
		if !lost[id] {
			s.confirmed = append(s.confirmed, id)
		}
	}
	return failed
}

func (s *stream) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	return s.sent
}

// dialAny connects to the first node that accepts.
func dialAny(vhost *lab.VHost) (*amqp091.Connection, error) {
	var errs []error
	for _, uri := range vhost.URIs() {
		conn, err := amqp091.DialConfig(uri, amqp091.Config{Heartbeat: 5 * time.Second})
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
