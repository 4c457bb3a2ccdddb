package federation_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/embedded"
	"weir/broker/jetstream"
	"weir/link"
	"weir/tests/lab"
)

// queueSide is a broker with a queue "work", as its applications use it.
type queueSide interface {
	driver(name string) broker.Broker
	declare()
	// put publishes n messages, numbered from first, and returns when they are stored.
	put(first, n int)
	// work consumes and acks until it is stopped. do is called with each body, by one goroutine.
	work(do func(body string)) (stop func())
	// left is how many messages are there, delivered ones too where they are known.
	left() int
}

// Queues are federated across brands: all comes while there is a consumer, and nothing while there is none.
func TestQueuesAcrossBrands(t *testing.T) {
	t.Parallel()
	sides := map[string]func(t *testing.T) queueSide{
		"RabbitMQ":  func(t *testing.T) queueSide { return rabbitQueue{newRegion(t, lab.RabbitMQ(t, "newest"))} },
		"JetStream": func(t *testing.T) queueSide { return newNATSQueue(t) },
	}
	for _, pairing := range [][2]string{{"RabbitMQ", "JetStream"}, {"JetStream", "RabbitMQ"}, {"JetStream", "JetStream"}} {
		t.Run(pairing[0]+" to "+pairing[1], func(t *testing.T) {
			t.Parallel()
			us, eu := sides[pairing[0]](t), sides[pairing[1]](t)
			us.declare()
			eu.declare()
			const n = 500
			us.put(0, n)
			config := "version: 1\nsite: eu\nlocal: eu\nbrokers:\n  eu: {type: nats, uris: [\"nats://eu:4222\"]}\n  us: {type: nats, uris: [\"nats://us:4222\"]}\n"
			g := start(t, config, map[string]broker.Broker{"eu": eu.driver("eu"), "us": us.driver("us")}, workFromUS)
			eventually(t, "the link waits for consumers", func() bool {
				s := g.status(fromUSLink)
				return s.State == link.Shut && s.Reason == "no consumers downstream"
			})
			eventually(t, "all are left upstream before anybody consumes", func() bool { return us.left() == n })

			var mu sync.Mutex
			did := map[string]int{}
			stop := eu.work(func(body string) {
				mu.Lock()
				defer mu.Unlock()
				did[body]++
			})
			eventually(t, "all is done", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(did) == n
			})
			eventually(t, "nothing is left", func() bool { return us.left() == 0 && eu.left() == 0 })
			stop()
			for body, times := range did {
				if times != 1 {
					t.Errorf("%s was done %d times", body, times)
				}
			}
			eventually(t, "the link is shut", func() bool { return g.status(fromUSLink).State == link.Shut })
			us.put(n, 100)
			<-time.After(1500 * time.Millisecond)
			eventually(t, "without consumers all are left upstream", func() bool { return us.left() == 100 && eu.left() == 0 })
		})
	}
}

type rabbitQueue struct{ region }

func (q rabbitQueue) driver(name string) broker.Broker { return q.region.driver(name) }

func (q rabbitQueue) declare() {
	_, err := q.ch.QueueDeclare("work", true, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
	q.must(err)
}

func (q rabbitQueue) left() int { return q.ready() }

func (q rabbitQueue) work(do func(string)) func() {
	ch := q.Channel()
	q.must(ch.Qos(50, 0, false))
	deliveries, err := ch.Consume("work", "", false, false, false, false, nil)
	q.must(err)
	var working sync.WaitGroup
	working.Go(func() {
		for d := range deliveries {
			do(string(d.Body))
			_ = d.Ack(false)
		}
	})
	stop := sync.OnceFunc(func() {
		_ = ch.Close()
		working.Wait()
	})
	q.Cleanup(stop)
	return stop
}

type natsQueue struct {
	t      *testing.T
	server *embedded.Server
	js     natsjs.JetStream
	weir   *jetstream.Broker
}

func newNATSQueue(t *testing.T) natsQueue {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Config{Name: "nats", DataDir: t.TempDir(), Unsynced: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	conn, err := nats.Connect(server.ClientURL(), nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := natsjs.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	weir := jetstream.New(jetstream.Config{Name: "nats", URIs: []string{server.ClientURL()}}, slog.New(slog.DiscardHandler))
	t.Cleanup(weir.Close)
	return natsQueue{t, server, js, weir}
}

func (q natsQueue) driver(string) broker.Broker { return q.weir }

// declare makes what weir makes of a queue.
func (q natsQueue) declare() {
	q.t.Helper()
	_, err := q.js.CreateStream(q.t.Context(), natsjs.StreamConfig{Name: "q_work", Subjects: []string{"q.work"}, Retention: natsjs.WorkQueuePolicy})
	if err == nil {
		_, err = q.js.CreateConsumer(q.t.Context(), "q_work", natsjs.ConsumerConfig{Durable: "work", AckPolicy: natsjs.AckExplicitPolicy})
	}
	if err != nil {
		q.t.Fatal(err)
	}
}

func (q natsQueue) put(first, n int) {
	q.t.Helper()
	for i := range n {
		if _, err := q.js.Publish(q.t.Context(), "q.work", fmt.Appendf(nil, "%06d", first+i)); err != nil {
			q.t.Fatal(err)
		}
	}
}

func (q natsQueue) left() int {
	q.t.Helper()
	stream, err := q.js.Stream(q.t.Context(), "q_work")
	if err != nil {
		q.t.Fatal(err)
	}
	return int(stream.CachedInfo().State.Msgs)
}

func (q natsQueue) work(do func(string)) func() {
	q.t.Helper()
	consumer, err := q.js.Consumer(q.t.Context(), "q_work", "work")
	if err != nil {
		q.t.Fatal(err)
	}
	working, err := consumer.Consume(func(m natsjs.Msg) {
		do(string(m.Data()))
		_ = m.Ack()
	}, natsjs.PullMaxMessages(50))
	if err != nil {
		q.t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		working.Drain()
		<-working.Closed()
	})
	q.t.Cleanup(stop)
	return stop
}
