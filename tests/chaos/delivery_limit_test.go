package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/amqp"
	"weir/broker/brokertest"
	"weir/link"
	"weir/tests/lab"
)

const (
	orders = 300
	cuts   = 50
	limit  = 20 // RabbitMQ's default since 4.0; set, so that 3.10 has it too

	patience = 2 * time.Minute // for what must happen
)

// A quorum queue drops a message that was given back more often than its delivery limit, or dead-letters it. A destination
// that fails far more often than that, before it has confirmed anything, costs nothing: the source keeps its messages.
func TestFailuresOfTheDestinationLoseNothingToADeliveryLimit(t *testing.T) {
	for _, version := range lab.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			vhost := lab.RabbitMQ(t, version).VHost(t)
			ch := vhost.Channel()
			declare(t, ch, "dead", amqp091.Table{})
			declare(t, ch, "arrived", amqp091.Table{})
			declare(t, ch, "orders", amqp091.Table{
				"x-queue-type": "quorum", "x-delivery-limit": int32(limit),
				"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead",
			})
			fill(t, ch, "orders", orders)

			near := fmt.Sprintf("127.0.0.1:%d", vhost.Broker.Nodes[0].AMQP)
			proxy := brokertest.NewProxy(t, near)
			source := &counting{Broker: open(t, vhost, near)}
			failing := &failing{proxy: proxy, left: cuts}
			l := link.New(link.Spec{
				Name:   "orders",
				Source: link.Origin{Name: "eu", Broker: source, At: broker.Address{Queue: "orders"}},
				Destination: failingTo{failing, link.To{
					Name: "us", Broker: open(t, vhost, proxy.Addr()), At: broker.Address{Queue: "arrived"},
				}},
				Window:    100,
				Reconnect: link.Delays{Min: 10 * time.Millisecond, Max: 50 * time.Millisecond},
			}, slog.New(slog.DiscardHandler))
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { l.Run(ctx) })
			defer running.Wait()
			defer stop()

			seen := collect(t, ch, "arrived", orders)
			stop()
			running.Wait()
			for i := range orders {
				if !seen[body(i)] {
					t.Errorf("%s is lost", body(i))
				}
			}
			for _, queue := range []string{"dead", "orders"} {
				if d, ok, err := ch.Get(queue, true); err != nil || ok {
					t.Errorf("in %s: %q, error %v", queue, d.Body, err)
				}
			}
			if n := source.opened.Load(); n != 1 {
				t.Errorf("the source was opened %d times", n)
			}
			if n := l.Status().Counts.Reconnects; n < cuts {
				t.Errorf("the destination was lost %d times, want %d", n, cuts)
			}
		})
	}
}

// failing cuts the first sessions of a destination as soon as a message has been sent, before it can be confirmed.
type failing struct {
	proxy *brokertest.Proxy
	mu    sync.Mutex
	left  int
}

// fails tells whether the next session is to fail.
func (f *failing) fails() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left--
	return f.left >= 0
}

type failingTo struct {
	*failing
	link.To
}

func (f failingTo) OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error) {
	s, err := f.To.OpenSink(ctx, o)
	if err != nil || !f.fails() {
		return s, err
	}
	return failingSink{s, f.proxy}, nil
}

type failingSink struct {
	broker.Sink
	proxy *brokertest.Proxy
}

func (f failingSink) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	f.proxy.Hold() // confirms
	defer f.proxy.Release()
	confirm, err := f.Sink.Send(ctx, m)
	f.proxy.Cut()
	return confirm, err
}

// counting counts how often a source is opened.
type counting struct {
	broker.Broker
	opened atomic.Int64
}

func (c *counting) OpenSource(ctx context.Context, at broker.Address, o broker.SourceOptions) (broker.Source, error) {
	c.opened.Add(1)
	return c.Broker.OpenSource(ctx, at, o)
}

// open makes a driver for a vhost, at an address.
func open(t *testing.T, vhost *lab.VHost, address string) broker.Broker {
	t.Helper()
	b := amqp.New(amqp.Config{
		Name:        address,
		URIs:        []string{"amqp://" + address},
		VHost:       vhost.Name,
		Credentials: func() (string, string, error) { return vhost.Username, vhost.Password, nil },
	}, slog.New(slog.DiscardHandler))
	t.Cleanup(b.Close)
	return b
}

func declare(t *testing.T, ch *amqp091.Channel, queue string, args amqp091.Table) {
	t.Helper()
	if _, err := ch.QueueDeclare(queue, true, false, false, false, args); err != nil {
		t.Fatal(err)
	}
}

func body(i int) string { return fmt.Sprintf("order %04d", i) }

// fill publishes n numbered messages, with confirms.
func fill(t *testing.T, ch *amqp091.Channel, queue string, n int) {
	t.Helper()
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	var pending []*amqp091.DeferredConfirmation
	for i := range n {
		c, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp091.Publishing{
			Body: []byte(body(i)), DeliveryMode: amqp091.Persistent,
		})
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, c)
	}
	stored, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i, c := range pending {
		if acked, err := c.WaitContext(stored); err != nil || !acked {
			t.Fatalf("%s is not stored: %v", body(i), err)
		}
	}
}

// collect consumes until so many different messages have come.
func collect(t *testing.T, ch *amqp091.Channel, queue string, want int) map[string]bool {
	t.Helper()
	deliveries, err := ch.Consume(queue, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	timeout := time.After(patience)
	for len(seen) < want {
		select {
		case d, ok := <-deliveries:
			if !ok {
				t.Fatal("the channel was closed")
			}
			seen[string(d.Body)] = true
		case <-timeout:
			t.Fatalf("after %v %d of %d messages have come", patience, len(seen), want)
		}
	}
	return seen
}
