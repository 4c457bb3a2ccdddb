package amqp_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/amqp"
	"weir/tests/lab"
)

// Ensure a gateway whose window grows keeps a queue with a single active consumer, also while another one stands by; that
// one that stops hands it over when it has settled what it had, not before; and that the order is kept all the way.
func TestSingleActiveConsumer(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		for _, kind := range []string{"classic", "quorum"} {
			t.Run(kind, func(t *testing.T) {
				const n = 3000
				ch := v.Channel()
				must(ch.QueueDeclare(kind, true, false, false, false, amqp091.Table{"x-queue-type": kind, "x-single-active-consumer": true}))(t)
				open := func() broker.Source {
					b := newBroker(t, config(v))
					o := broker.SourceOptions{Link: "link", Window: 4, MaxWindow: 256, Buffer: true}
					return must(b.OpenSource(within(t), broker.Address{Queue: kind}, o))(t)
				}
				one, two := open(), open()
				fragile := strings.HasSuffix(t.Name(), "/3.10/classic")
				wantSteps := []int{4, 256}
				if fragile {
					wantSteps = []int{256}
				}
				if steps := one.(broker.Stepper).Steps(); !slices.Equal(steps, wantSteps) {
					t.Errorf("steps %v, want %v", steps, wantSteps)
				}
				check(t, publishNumbers(within(t), ch, kind, n))
				next := 0
				take := func(s broker.Source) *broker.Message {
					t.Helper()
					m := receive(t, s)
					if got := string(m.Body); got != strconv.Itoa(next) || m.Redelivered && !(fragile && s == two) {
						t.Fatalf("got %s (redelivered: %v), want %d", got, m.Redelivered, next)
					}
					next++
					return m
				}
				for range 4 {
					take(one)
				}
				check(t, one.(broker.Resizer).Resize(within(t), 256))
				for range 256 {
					check(t, one.Ack(take(one)))
				}
				if err := one.(broker.Resizer).Resize(within(t), 100); err == nil {
					t.Error("a window that is not among the steps was taken")
				}
				check(t, one.(broker.Resizer).Resize(within(t), 256)) // as it is

				check(t, one.Stop(within(t)))
				var held *broker.Message
				for {
					m, err := one.Receive(within(t))
					if errors.Is(err, io.EOF) {
						break
					}
					check(t, err)
					held = m
					if string(m.Body) != strconv.Itoa(next) {
						t.Fatalf("got %s, want %d", m.Body, next)
					}
					next++
				}
				if held == nil {
					t.Fatal("nothing was received after Stop")
				}
				check(t, one.Ack(held))
				check(t, one.Close())
				for next < n {
					check(t, two.Ack(take(two)))
				}
				check(t, two.Stop(within(t)))
				if _, err := two.Receive(within(t)); !errors.Is(err, io.EOF) {
					t.Errorf("got %v, want io.EOF", err)
				}
				check(t, two.Close())
			})
		}
	})
}

// Ensure the window stays where it may not grow, and where nobody can tell whether the queue would be handed over.
func TestSingleWindowStays(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	must(v.Channel().QueueDeclare("single", true, false, false, false, amqp091.Table{"x-single-active-consumer": true}))(t)
	for name, c := range map[string]struct {
		change    func(*amqp.Config)
		maxWindow int
		steps     []int
	}{
		"fixed":         {func(*amqp.Config) {}, 0, nil},
		"no management": {func(c *amqp.Config) { c.Management = amqp.Management{} }, 10_000, []int{2000}},
		"no larger":     {func(c *amqp.Config) { c.Management = amqp.Management{} }, 100, []int{100}},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config(v)
			c.change(&conf)
			s := must(newBroker(t, conf).OpenSource(within(t), broker.Address{Queue: "single"},
				broker.SourceOptions{Link: "link", Window: 64, MaxWindow: c.maxWindow, Buffer: true}))(t)
			var steps []int
			if stepper, ok := s.(broker.Stepper); ok {
				steps = stepper.Steps()
			}
			if !slices.Equal(steps, c.steps) {
				t.Errorf("steps %v, want %v", steps, c.steps)
			}
			check(t, s.Close())
		})
	}
}

// Ensure the same while somebody publishes and messages wait: a classic queue of RabbitMQ 3 crashes at the next message
// that is published after its active consumer was cancelled (rabbitmq-server issue 5460).
func TestSingleActiveConsumerWhilePublishing(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		for _, kind := range []string{"classic", "quorum"} {
			t.Run(kind, func(t *testing.T) {
				const n = 20_000
				must(v.Channel().QueueDeclare(kind, true, false, false, false, amqp091.Table{"x-queue-type": kind, "x-single-active-consumer": true}))(t)
				published := make(chan error, 1)
				go func() { published <- publishNumbers(within(t), v.Channel(), kind, n) }()
				next := 0
				take := func(s broker.Source, upTo int) {
					t.Helper()
					for next < upTo {
						m, err := s.Receive(within(t))
						check(t, err)
						if got := string(m.Body); got != strconv.Itoa(next) {
							t.Fatalf("got %s, want %d", got, next)
						}
						next++
						if next%16 == 0 || next == upTo {
							check(t, s.Ack(m))
						}
					}
				}
				open := func() broker.Source {
					o := broker.SourceOptions{Link: "link", Window: 16, MaxWindow: 256, Buffer: true}
					return must(newBroker(t, config(v)).OpenSource(within(t), broker.Address{Queue: kind}, o))(t)
				}
				one, two := open(), open()
				take(one, 1000)
				steps := one.(broker.Stepper).Steps()
				check(t, one.(broker.Resizer).Resize(within(t), steps[len(steps)-1]))
				take(one, 3000)
				check(t, one.Stop(within(t)))
				for {
					m, err := one.Receive(within(t))
					if errors.Is(err, io.EOF) {
						break
					}
					check(t, err)
					if got := string(m.Body); got != strconv.Itoa(next) {
						t.Fatalf("got %s, want %d", got, next)
					}
					next++
					check(t, one.Ack(m))
				}
				check(t, one.Close())
				take(two, n)
				check(t, await(t, "the end of publishing", published))
				check(t, two.Close())
			})
		}
	})
}

// publishNumbers publishes 0 to n-1 with at most 1,000 unconfirmed.
func publishNumbers(ctx context.Context, ch *amqp091.Channel, queue string, n int) error {
	if err := ch.Confirm(false); err != nil {
		return err
	}
	stored := func(c *amqp091.DeferredConfirmation) error {
		acked, err := c.WaitContext(ctx)
		if err == nil && !acked {
			err = errors.New("a message was not taken")
		}
		return err
	}
	var window []*amqp091.DeferredConfirmation
	for i := range n {
		c, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp091.Publishing{Body: []byte(strconv.Itoa(i))})
		if err != nil {
			return err
		}
		if window = append(window, c); len(window) == 1000 {
			if err := stored(window[0]); err != nil {
				return err
			}
			window = window[1:]
		}
	}
	for _, c := range window {
		if err := stored(c); err != nil {
			return err
		}
	}
	return nil
}
