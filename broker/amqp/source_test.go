package amqp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/tests/lab"
)

// Ensure a source whose queue is deleted says so, and that its connection stays.
func TestQueueDeleted(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		b := newBroker(t, config(v))
		s := must(b.OpenSource(within(t), broker.Address{Queue: "orders"}, broker.SourceOptions{Link: "link", Window: 10}))(t)
		other := must(b.OpenSource(within(t), broker.Address{Queue: "others"}, broker.SourceOptions{Link: "other", Window: 10}))(t)
		v.Do(http.MethodDelete, "queues/{vhost}/orders", nil)
		for range 2 { // and again when asked again
			_, err := s.Receive(within(t))
			if !errors.Is(err, broker.ErrLost) || !strings.Contains(err.Error(), `"orders"`) {
				t.Errorf("got %v", err)
			}
		}
		check(t, s.Close())
		publish(t, v.Channel(), "others", amqp091.Publishing{Body: []byte("1")})
		receive(t, other)
		check(t, other.Close())
	})
}

// Ensure what the broker counts shows in Origin and not in the headers, and that what it was published with stays.
func TestDeliveryCount(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		ch := v.Channel()
		must(ch.QueueDeclare("orders", true, false, false, false, amqp091.Table{"x-queue-type": "quorum"}))(t)
		publish(t, ch, "orders", amqp091.Publishing{Headers: amqp091.Table{"timestamp_in_ms": int64(1_700_000_000_123)}})
		s := must(newBroker(t, config(v)).OpenSource(within(t), broker.Address{Queue: "orders"}, broker.SourceOptions{Link: "link", Window: 1}))(t)
		for returns := range 3 {
			m := receive(t, s)
			if m.Origin.Returns != returns || m.Redelivered != (returns > 0) || m.Origin.Scope != v.Name+"/orders" || m.Origin.Stored.UnixMilli() != 1_700_000_000_123 {
				t.Errorf("returned %d times: %+v", returns, m.Origin)
			}
			if len(m.Headers) != 1 {
				t.Errorf("headers %v", m.Headers)
			}
			check(t, s.Settle(m, broker.Returned))
		}
		check(t, s.Close())
	})
}

// Ensure a queue that is declared gets its arguments, and a consumer its own.
func TestArguments(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	b := newBroker(t, config(v))
	s := must(b.OpenSource(within(t), broker.Address{Queue: "orders"}, broker.SourceOptions{
		Link: "link", Window: 7,
		DeclareArgs:  broker.Table{"x-queue-type": "quorum", "x-max-length": int32(1000)},
		ConsumerArgs: broker.Table{"x-priority": int32(-1)},
	}))(t)
	var q struct {
		Type      string
		Arguments map[string]any
		Consumers []struct {
			Tag       string `json:"consumer_tag"`
			Prefetch  int    `json:"prefetch_count"`
			Arguments map[string]any
		} `json:"consumer_details"`
	}
	eventually(t, "a consumer is listed", func() bool { return v.Get("queues/{vhost}/orders", &q) && len(q.Consumers) == 1 })
	if q.Type != "quorum" || q.Arguments["x-max-length"] != 1000.0 {
		t.Errorf("%+v", q)
	}
	if c := q.Consumers[0]; c.Prefetch != 7 || c.Arguments["x-priority"] != -1.0 || !strings.HasPrefix(c.Tag, "weir: link ") {
		t.Errorf("%+v", c)
	}
	check(t, s.Close())

	for _, args := range []broker.Table{nil, {"x-queue-type": "classic"}} {
		s := must(b.OpenSource(within(t), broker.Address{Exchange: "amq.topic", RoutingKey: "order.*"}, broker.SourceOptions{
			Link: "by-exchange-" + map[bool]string{true: "default", false: "classic"}[args == nil], Site: "test", Window: 1, DeclareArgs: args,
		}))(t)
		check(t, s.Close())
	}
	for name, want := range map[string]string{"default": "quorum", "classic": "classic"} {
		if !v.Get("queues/{vhost}/weir%3A%20shovel%20test%2Fby-exchange-"+name, &q) || q.Type != want {
			t.Errorf("%s: a %s queue, want %s", name, q.Type, want)
		}
	}
	if _, err := b.OpenSource(within(t), broker.Address{Exchange: "none"}, broker.SourceOptions{Window: 1}); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("from an exchange that is not there: %v", err)
	}
}

// Ensure resizing and stopping in full flow give nothing back: each message is delivered once, in order.
func TestNothingGivenBack(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		for _, kind := range []string{"classic", "quorum"} {
			t.Run(kind, func(t *testing.T) {
				const n = 4000
				ch := v.Channel()
				must(ch.QueueDeclare(kind, true, false, false, false, amqp091.Table{"x-queue-type": kind}))(t)
				check(t, publishNumbers(within(t), ch, kind, n))
				s := must(newBroker(t, config(v)).OpenSource(within(t), broker.Address{Queue: kind}, broker.SourceOptions{Link: "link", Window: 50}))(t)
				failed := make(chan error, 1)
				go func() {
					for _, window := range []int{400, 100, 800} {
						if err := s.(broker.Resizer).Resize(within(t), window); err != nil {
							failed <- err
							return
						}
					}
					failed <- s.Stop(within(t))
				}()
				next := 0
				for {
					m, err := s.Receive(within(t))
					if errors.Is(err, io.EOF) {
						break
					}
					check(t, err)
					if got := string(m.Body); got != strconv.Itoa(next) || m.Redelivered {
						t.Fatalf("got %s (redelivered: %v), want %d", got, m.Redelivered, next)
					}
					next++
					check(t, s.Ack(m))
				}
				check(t, await(t, "the end of Stop", failed))
				check(t, s.Close())
				rest := must(ch.Consume(kind, "", true, false, false, false, nil))(t)
				for ; next < n; next++ {
					if d := await(t, "what is left in the queue", rest); d.Redelivered || string(d.Body) != strconv.Itoa(next) {
						t.Fatalf("left in the queue is %s (redelivered: %v), want %d", d.Body, d.Redelivered, next)
					}
				}
			})
		}
	})
}

// Ensure every source that a link may open has measured its broker's round trip, which the link's window goes by.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	const way = 10 * time.Millisecond
	conf := config(v)
	conf.URIs = []string{"amqp://" + far(t, fmt.Sprintf("127.0.0.1:%d", v.Broker.Nodes[0].AMQP), way)}
	b := newBroker(t, conf)
	for name, o := range map[string]broker.SourceOptions{
		"classic":                {DeclareArgs: broker.Table{"x-queue-type": "classic"}},
		"quorum":                 {DeclareArgs: broker.Table{"x-queue-type": "quorum"}},
		"single active consumer": {DeclareArgs: broker.Table{"x-single-active-consumer": true}},
		"stream":                 {DeclareArgs: broker.Table{"x-queue-type": "stream"}},
	} {
		t.Run(name, func(t *testing.T) {
			o.Link, o.Site, o.Window = name, "test", 1
			s := must(b.OpenSource(within(t), broker.Address{Queue: name}, o))(t)
			if got := s.(broker.RoundTripper).RoundTrip(); got < 2*way {
				t.Errorf("%v, over %v each way", got, way)
			}
			check(t, s.Close())
		})
	}
}
