package amqp_test

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/brokertest"
	"weir/tests/lab"
)

// Ensure each message gets its own answer when messages that look the same go to a queue and nowhere by turns.
func TestReturns(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		ch := v.Channel()
		check(t, ch.ExchangeDeclare("by-region", "headers", true, false, false, false, nil))
		must(ch.QueueDeclare("eu", true, false, false, false, amqp091.Table{"x-queue-type": "quorum"}))(t)
		check(t, ch.QueueBind("eu", "", "by-region", false, amqp091.Table{"x-match": "all", "region": "eu"}))
		sink := must(newBroker(t, config(v)).OpenSink(within(t), broker.Address{Exchange: "by-region"}, broker.SinkOptions{Link: "link"}))(t)

		const n = 900
		noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.FixedZone("elsewhere", 3600)) // which arrives in another zone
		var confirms []broker.Confirm
		for i := range n {
			region := []string{"eu", "us", "ap"}[i%3] // alike but for this header
			headers := broker.Table{"region": region, "at": noon, "list": broker.Array{}, "table": broker.Table{"a": "b", "c": "d"}}
			confirms = append(confirms, must(sink.Send(within(t), &broker.Message{Body: []byte("same"), Headers: headers}))(t))
		}
		for i, c := range confirms {
			if err := answer(t, c); errors.Is(err, broker.ErrUnroutable) != (i%3 > 0) || i%3 == 0 && err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		check(t, sink.Close())
		if q := must(ch.QueueDeclarePassive("eu", true, false, false, false, nil))(t); q.Messages != n/3 {
			t.Errorf("%d messages are stored, want %d", q.Messages, n/3)
		}
	})
}

// Ensure what a message carries does not keep its return from being recognised, whatever the broker makes of it.
func TestReturnsOfAnything(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		sink := must(newBroker(t, config(v)).OpenSink(within(t), broker.Address{}, broker.SinkOptions{Link: "link"}))(t)
		defer sink.Close()
		all := map[string]*broker.Message{
			"nothing":       {},
			"delivery-mode": {Properties: broker.Properties{DeliveryMode: 1}},
			"priority":      {Properties: broker.Properties{Priority: 255}},
			"expiration":    {Properties: broker.Properties{Expiration: "0060000"}},
			"expired":       {Properties: broker.Properties{Expiration: "0"}},
			"timestamp":     {Properties: broker.Properties{Timestamp: time.Unix(1, 0)}},
			"reply-to":      {Properties: broker.Properties{ReplyTo: "amq.rabbitmq.reply-to.g1"}},
			"user-id":       {Properties: broker.Properties{UserID: v.Username}},
			"texts": {Properties: broker.Properties{ContentType: "\xff", ContentEncoding: "e", CorrelationID: "\x00", MessageID: "m",
				Type: strings.Repeat("t", 255), AppID: "a"}},
			"every type":  {Headers: brokertest.EveryType()},
			"CC and BCC":  {Headers: broker.Table{"CC": broker.Array{"nowhere else"}, "BCC": broker.Array{"nor there"}}},
			"dead":        {Headers: broker.Table{"x-death": broker.Array{broker.Table{"queue": "q", "count": int64(1)}}, "x-first-death-queue": "q"}},
			"counts":      {Headers: broker.Table{"x-delivery-count": int64(3), "x-acquired-count": int64(3), "x-stream-offset": int64(3)}},
			"large":       {Body: bytes.Repeat([]byte("x"), 1<<20)},
			"no own name": {Headers: broker.Table{"": "empty"}},
		}
		confirms := make(map[string]broker.Confirm)
		for name, m := range all {
			m.RoutingKey = "nowhere"
			confirms[name] = must(sink.Send(within(t), m))(t)
		}
		for name, c := range confirms {
			if err := answer(t, c); !errors.Is(err, broker.ErrUnroutable) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Ensure that of messages which are the same in everything, as many are unroutable as went nowhere.
func TestReturnsOfIdentical(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	sink := must(newBroker(t, config(v)).OpenSink(within(t), broker.Address{}, broker.SinkOptions{Link: "link"}))(t)
	unroutable := 0
	var confirms []broker.Confirm
	for range 500 {
		confirms = append(confirms, must(sink.Send(within(t), &broker.Message{RoutingKey: "late", Body: []byte("same")}))(t))
		if len(confirms) == 250 {
			must(v.Channel().QueueDeclare("late", true, false, false, false, nil))(t)
		}
	}
	for _, c := range confirms {
		if err := answer(t, c); errors.Is(err, broker.ErrUnroutable) {
			unroutable++
		} else {
			check(t, err)
		}
	}
	check(t, sink.Close())
	q := must(v.Channel().QueueDeclarePassive("late", true, false, false, false, nil))(t)
	if q.Messages+unroutable != len(confirms) || unroutable == 0 {
		t.Errorf("%d stored and %d unroutable of %d", q.Messages, unroutable, len(confirms))
	}
}

// Ensure what RabbitMQ ends the channel for is told apart when it is alone in flight, and is unknown, with all others,
// when it is not.
func TestChannelException(t *testing.T) {
	for _, version := range lab.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			cluster := lab.StartCluster(t, lab.Spec{Version: version, Config: "max_message_size = 1000000\n"})
			v := cluster.VHost(t)
			ch := v.Channel()
			must(ch.QueueDeclare("orders", true, false, false, false, nil))(t)
			check(t, ch.ExchangeDeclare("internal", "fanout", true, false, true, false, nil))
			b := newBroker(t, config(v))
			large := &broker.Message{RoutingKey: "orders", Body: bytes.Repeat([]byte("x"), 1_000_001)}
			for name, c := range map[string]struct {
				m    *broker.Message
				want error
				not  error
			}{
				"too large":         {large, broker.ErrTooLarge, nil},
				"foreign user-id":   {&broker.Message{RoutingKey: "orders", Properties: broker.Properties{UserID: "somebody else"}}, broker.ErrRefused, broker.ErrTooLarge},
				"bad expiration":    {&broker.Message{RoutingKey: "orders", Properties: broker.Properties{Expiration: "soon"}}, broker.ErrRefused, broker.ErrTooLarge},
				"no exchange":       {&broker.Message{Exchange: "none"}, broker.ErrUnroutable, nil},
				"internal exchange": {&broker.Message{Exchange: "internal"}, broker.ErrRefused, broker.ErrTooLarge},
			} {
				t.Run(name, func(t *testing.T) {
					sink := must(b.OpenSink(within(t), broker.Address{}, broker.SinkOptions{Link: "link"}))(t)
					send(t, sink, &broker.Message{RoutingKey: "orders"}, nil)
					confirm := must(sink.Send(within(t), c.m))(t)
					if err := answer(t, confirm); !errors.Is(err, c.want) || c.not != nil && errors.Is(err, c.not) {
						t.Errorf("alone: got %v, want %v", err, c.want)
					}
					await(t, "the end of the session", sink.Lost())
					check(t, sink.Close())

					sink = must(b.OpenSink(within(t), broker.Address{}, broker.SinkOptions{Link: "link"}))(t)
					confirms := []broker.Confirm{must(sink.Send(within(t), c.m))(t)}
					for range 20 {
						if c, err := sink.Send(within(t), &broker.Message{RoutingKey: "orders"}); err == nil {
							confirms = append(confirms, c)
						}
					}
					for i, confirm := range confirms {
						if err := answer(t, confirm); len(confirms) > 1 && !errors.Is(err, broker.ErrLost) {
							t.Errorf("with others: message %d: got %v, want ErrLost", i, err)
						}
					}
					check(t, sink.Close())
				})
			}
		})
	}
}

// Ensure the largest headers that fit into a frame arrive, and that what does not fit, or cannot be read by RabbitMQ, is
// refused without harm to the session.
func TestUnwritable(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		sink := must(newBroker(t, config(v)).OpenSink(within(t), broker.Address{Queue: "orders"}, broker.SinkOptions{Link: "link"}))(t)
		fill := func(n int) *broker.Message {
			return &broker.Message{
				Headers: broker.Table{"fill": strings.Repeat("x", n), "deep": broker.Array{broker.Table{"a": true}}},
				Properties: broker.Properties{
					ContentType: "a", ContentEncoding: "b", DeliveryMode: 2, Priority: 1, CorrelationID: "c", ReplyTo: "d",
					Expiration: "60000", MessageID: "e", Type: "f", UserID: v.Username, AppID: "g",
				},
			}
		}
		most := 131072
		for ; ; most-- { // what is refused is not sent, so the first that is not refused is the largest
			c := must(sink.Send(within(t), fill(most)))(t)
			err := answer(t, c)
			if errors.Is(err, broker.ErrTooLarge) {
				continue
			}
			check(t, err)
			break
		}
		if most < 130000 {
			t.Errorf("the largest header that was sent has %d bytes", most)
		}
		send(t, sink, &broker.Message{RoutingKey: strings.Repeat("k", 256), Headers: broker.Table{"n": 1}}, broker.ErrRefused)
		for i := range 3 {
			send(t, sink, &broker.Message{Body: []byte(strconv.Itoa(i))}, nil)
		}
		check(t, sink.Close())
	})
}

// Ensure a nack stays a nack when later messages are acked together with earlier ones.
func TestNackAmongAcks(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		ch := v.Channel()
		must(ch.QueueDeclare("open", true, false, false, false, amqp091.Table{"x-queue-type": "quorum"}))(t)
		must(ch.QueueDeclare("full", true, false, false, false, amqp091.Table{"x-max-length": int32(1), "x-overflow": "reject-publish"}))(t)
		publish(t, ch, "full", amqp091.Publishing{})
		sink := must(newBroker(t, config(v)).OpenSink(within(t), broker.Address{}, broker.SinkOptions{Link: "link"}))(t)
		var confirms []broker.Confirm
		for i := range 500 {
			key := "open"
			if i%7 == 3 {
				key = "full"
			}
			confirms = append(confirms, must(sink.Send(within(t), &broker.Message{RoutingKey: key, Properties: broker.Properties{DeliveryMode: 2}}))(t))
		}
		for i, c := range confirms {
			if err := answer(t, c); errors.Is(err, broker.ErrRefused) != (i%7 == 3) {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		check(t, sink.Close())
	})
}

// Ensure a user who may publish, and nothing else, can.
func TestPublisherOnly(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		ch := v.Channel()
		must(ch.QueueDeclare("orders", true, false, false, false, nil))(t)
		check(t, ch.ExchangeDeclare("shop", "fanout", true, false, false, false, nil))
		check(t, ch.QueueBind("orders", "", "shop", false, nil))
		user, password := v.User("publisher")
		v.Permit(user, "", "^(amq.default|shop)$", "")
		conf := config(v)
		conf.Credentials = login(user, password)
		b := newBroker(t, conf)
		for _, at := range []broker.Address{{Queue: "orders"}, {Exchange: "shop"}} {
			sink := must(b.OpenSink(within(t), at, broker.SinkOptions{Link: "link", Predeclared: true}))(t)
			send(t, sink, new(broker.Message), nil)
			check(t, sink.Close())
		}
	})
}
