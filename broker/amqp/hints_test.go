package amqp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/tests/lab"
)

// Ensure each change in the vhost is told, and none in others.
func TestHints(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		hears(v)
		other := v.Broker.VHost(t).Channel()
		ctx, cancel := context.WithCancel(t.Context())
		hints := must(newBroker(t, config(v)).Hints(ctx))(t)
		told := func(what string, want broker.Hint) {
			t.Helper()
			for timeout := time.After(patience); ; {
				select {
				case h := <-hints:
					if h == want {
						return
					}
					if h.Exchange == "elsewhere" {
						t.Fatalf("%s: told of another vhost", what)
					}
				case <-timeout:
					t.Fatalf("%s: not told", what)
				}
			}
		}
		ch := v.Channel()
		something, bindings := broker.Hint{}, broker.Hint{Exchange: "catalog"}
		check(t, ch.ExchangeDeclare("catalog", "topic", true, false, false, false, nil))
		told("an exchange is declared", something)
		must(other.QueueDeclare("q", true, false, false, false, nil))(t)
		check(t, other.ExchangeDeclare("elsewhere", "fanout", true, false, false, false, nil))
		check(t, other.QueueBind("q", "", "elsewhere", false, nil))
		must(ch.QueueDeclare("q", true, false, false, false, amqp091.Table{"x-queue-type": "quorum"}))(t)
		told("a queue is declared", something)
		check(t, ch.QueueBind("q", "item.*", "catalog", false, nil))
		told("a binding is made", bindings)
		check(t, ch.ExchangeDeclare("onward", "fanout", true, false, false, false, nil))
		check(t, ch.ExchangeBind("onward", "item.#", "catalog", false, amqp091.Table{"a": amqp091.Table{"b": int32(1)}}))
		told("an exchange is bound", bindings)
		check(t, ch.QueueUnbind("q", "item.*", "catalog", nil))
		told("a binding is ended", bindings)
		check(t, ch.QueueBind("q", "last", "catalog", false, nil))
		must(ch.QueueDelete("q", false, false, false))(t)
		told("a bound queue is deleted", bindings)
		check(t, ch.ExchangeDelete("catalog", false, false))
		told("a bound exchange is deleted", something)

		cancel()
		eventually(t, "the end of hints", func() bool {
			for {
				select {
				case _, open := <-hints:
					if !open {
						return true
					}
				default:
					return false
				}
			}
		})
	})
}

// Ensure it is said how to have hints where there are none.
func TestNoHints(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t) // its user may not enter "/"
	_, err := newBroker(t, config(v)).Hints(within(t))
	if !errors.Is(err, broker.ErrUnsupported) || !strings.Contains(err.Error(), "rabbitmq_event_exchange") {
		t.Errorf("got %v", err)
	}
}
