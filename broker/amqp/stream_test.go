package amqp_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/tests/lab"
)

// Ensure the source of a stream goes on after what was settled, and only then; that each message knows its offset; and that
// the broker's own header is not passed on.
func TestStream(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		b := newBroker(t, config(v))
		ch := v.Channel()
		fillStream(t, ch, 30)
		open := func(link string, window int) broker.Source {
			t.Helper()
			return must(b.OpenSource(within(t), broker.Address{Queue: "events"}, broker.SourceOptions{
				Link: link, Site: "test", Window: window, ConsumerArgs: broker.Table{"x-stream-offset": "first"},
			}))(t)
		}
		expect := func(s broker.Source, from, to int) (ms []*broker.Message) {
			t.Helper()
			for i := from; i <= to; i++ {
				m := receive(t, s)
				if string(m.Body) != strconv.Itoa(i) || m.Origin.Sequence != uint64(i) {
					t.Fatalf("got %q with sequence %d, want %d", m.Body, m.Origin.Sequence, i)
				}
				if len(m.Headers) != 1 || m.Headers["mine"] != "kept" {
					t.Errorf("headers %v", m.Headers)
				}
				ms = append(ms, m)
			}
			return ms
		}

		s := open("one", 10)
		if _, ok := s.(broker.Resizer); ok {
			t.Error("the source of a stream says that it can be resized")
		}
		ms := expect(s, 0, 9)
		check(t, s.Ack(ms[9]))
		ms = expect(s, 10, 14)
		check(t, s.Settle(ms[0], broker.Acked)) // 10
		check(t, s.Settle(ms[3], broker.Acked)) // 13, and 11 is not
		check(t, s.Close())

		s = open("one", 20)
		ms = expect(s, 11, 15)
		check(t, s.Settle(ms[1], broker.Returned)) // 12
		check(t, s.Ack(ms[4]))
		check(t, s.Close())

		s = open("one", 20)
		expect(s, 12, 29)
		check(t, s.Close())

		s = open("other", 100) // another link begins where it is told to
		ms = expect(s, 0, 29)
		check(t, s.Ack(ms[29]))
		check(t, s.Close())
		publish(t, ch, "events", amqp091.Publishing{Body: []byte("30"), Headers: amqp091.Table{"mine": "kept"}})
		s = open("other", 100)
		expect(s, 30, 30)
		check(t, s.Close())

		var q struct {
			Durable  bool
			Messages int
		}
		if !v.Get("queues/{vhost}/weir%3A%20offset%20test%2Fone", &q) || !q.Durable {
			t.Errorf("the queue with the offset: %+v", q)
		}
	})
}

// Ensure the offset is stored while the source is open, so that little comes again after a crash; and that opening again
// and again does not use it up.
func TestStreamOffsetKept(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		ch := v.Channel()
		fillStream(t, ch, 10)
		b := newBroker(t, config(v))
		open := func() broker.Source {
			t.Helper()
			return must(b.OpenSource(within(t), broker.Address{Queue: "events"}, broker.SourceOptions{
				Link: "link", Site: "test", Window: 10, ConsumerArgs: broker.Table{"x-stream-offset": "first"},
			}))(t)
		}
		s := open()
		t.Cleanup(func() { _ = s.Close() })
		var m *broker.Message
		for range 5 {
			m = receive(t, s)
		}
		check(t, s.Ack(m))
		eventually(t, "offset 4 is stored", func() bool {
			d, ok, err := ch.Get("weir: offset test/link", false)
			check(t, err)
			stored := ok && string(d.Body) == "4"
			switch {
			case stored:
				giveBack(t, ch, d)
			case ok: // given back it would be the first again
				check(t, d.Ack(false))
			}
			return stored
		})
		v.CloseConnections()
		for {
			if _, err := s.Receive(within(t)); err != nil {
				if !errors.Is(err, broker.ErrLost) {
					t.Errorf("got %v, want ErrLost", err)
				}
				break
			}
		}
		_ = s.Close()
		for range 25 { // more than a quorum queue gives a message back
			s := open()
			if m := receive(t, s); string(m.Body) != "5" {
				t.Fatalf("got %q, want 5", m.Body)
			}
			check(t, s.Close())
		}
	})
}

// Ensure a source does not begin anew while somebody else has the offset, which RabbitMQ then shows as an empty queue.
func TestStreamOffsetTaken(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		ch := v.Channel()
		fillStream(t, ch, 10)
		b := newBroker(t, config(v))
		open := func() (broker.Source, error) {
			return b.OpenSource(within(t), broker.Address{Queue: "events"}, broker.SourceOptions{
				Link: "link", Site: "test", Window: 10, ConsumerArgs: broker.Table{"x-stream-offset": "first"},
			})
		}
		refused := func() {
			t.Helper()
			d, ok, err := ch.Get("weir: offset test/link", false)
			if check(t, err); !ok {
				t.Fatal("no offset is stored")
			}
			if s, err := open(); err == nil {
				_ = s.Close()
				t.Fatal("opened, wherever it begins")
			} else if !strings.Contains(err.Error(), "delete the queue") {
				t.Errorf("%v does not tell the cure", err)
			}
			giveBack(t, ch, d)
		}
		s := must(open())(t)
		t.Cleanup(func() { _ = s.Close() })
		refused() // also before anything has been settled
		var m *broker.Message
		for range 5 {
			m = receive(t, s)
		}
		check(t, s.Ack(m))
		check(t, s.Close())
		refused()
		s = must(open())(t)
		if m := receive(t, s); string(m.Body) != "5" {
			t.Errorf("got %q, want 5", m.Body)
		}
		check(t, s.Close())
	})
}

// giveBack returns when the offset is in its queue again, for whoever comes next.
func giveBack(t *testing.T, ch *amqp091.Channel, offset amqp091.Delivery) {
	t.Helper()
	check(t, offset.Reject(true))
	eventually(t, "the offset is back", func() bool {
		return must(ch.QueueDeclarePassive("weir: offset test/link", true, false, false, false, nil))(t).Messages > 0
	})
}

// fillStream declares the stream "events" and publishes n messages to it, which hold their offsets.
func fillStream(t *testing.T, ch *amqp091.Channel, n int) {
	t.Helper()
	must(ch.QueueDeclare("events", true, false, false, false, amqp091.Table{"x-queue-type": "stream"}))(t)
	for i := range n {
		publish(t, ch, "events", amqp091.Publishing{Body: []byte(strconv.Itoa(i)), Headers: amqp091.Table{"mine": "kept"}})
	}
}
