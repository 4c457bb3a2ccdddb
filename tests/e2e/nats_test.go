package e2e

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	driver "weir/broker/embedded"
	"weir/tests/await"
	"weir/tests/shop"
)

// embedded is a region on a broker that weir runs itself. Applications reach it as NATS JetStream, under the names that
// docs/configuration.md gives queues and exchanges there.
type embedded struct {
	name, address, folder string
}

func newEmbedded(t *testing.T, name string) embedded {
	t.Helper()
	ports, err := driver.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return embedded{name: name, address: fmt.Sprintf("127.0.0.1:%d", ports[0]), folder: t.TempDir()}
}

func (e embedded) YAML() string {
	return fmt.Sprintf("{type: embedded, nodes: 3, data-dir: %s, listen: %q}", e.folder, e.address)
}

// queueSubject is where a queue's messages are published.
func queueSubject(queue string) string { return "q." + queue }

func (e embedded) jetstream(t *testing.T) jetstream.JetStream {
	t.Helper()
	var nc *nats.Conn
	await.That(t, federationLimit, "connected to "+e.name, func() (ok bool) {
		var err error
		nc, err = nats.Connect("nats://" + e.address)
		return err == nil
	})
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// asks makes a request until it is answered: a young cluster on a busy machine may lose one.
func (e embedded) asks(t *testing.T, request func(ctx context.Context) error) {
	t.Helper()
	var err error
	defer func() {
		if err != nil {
			t.Logf("%s: %v", e.name, err)
		}
	}()
	await.That(t, federationLimit, "answered by "+e.name, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err = request(ctx)
		return err == nil
	})
}

// declareQueue makes what a queue is on JetStream: a work-queue stream with one durable.
func (e embedded) declareQueue(t *testing.T, js jetstream.JetStream, queue string) {
	t.Helper()
	e.declare(t, js, jetstream.StreamConfig{
		Name: "q_" + queue, Subjects: []string{queueSubject(queue)}, Retention: jetstream.WorkQueuePolicy,
	}, queue, "")
}

// declareBound makes a durable on an exchange's stream, bound by a routing key.
func (e embedded) declareBound(t *testing.T, js jetstream.JetStream, exchange, durable, key string) {
	t.Helper()
	e.declare(t, js, jetstream.StreamConfig{
		Name: "x_" + exchange, Subjects: []string{"x." + exchange + ".>"}, Retention: jetstream.InterestPolicy,
	}, durable, "x."+exchange+"."+key)
}

// declare makes a stream on all nodes, with one durable.
func (e embedded) declare(t *testing.T, js jetstream.JetStream, c jetstream.StreamConfig, durable, filter string) {
	t.Helper()
	c.Storage, c.Replicas = jetstream.FileStorage, 3
	e.asks(t, func(ctx context.Context) error {
		stream, err := js.CreateOrUpdateStream(ctx, c)
		if err != nil {
			return err
		}
		_, err = stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: durable, FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Minute, MaxAckPending: 20_000,
		})
		return err
	})
}

// natsRegion is a region as seen by one application.
type natsRegion struct {
	js              jetstream.JetStream
	stream, durable string
}

func (r natsRegion) Publish(ctx context.Context, from, to int) error {
	const batch = 500
	for at := from; at < to; at += batch {
		var pending []jetstream.PubAckFuture
		for id := at; id < min(at+batch, to); id++ {
			m := nats.NewMsg(queueSubject("orders"))
			m.Header.Set("Order", strconv.Itoa(id))
			m.Data = []byte(strings.Repeat("x", 256))
			f, err := r.js.PublishMsgAsync(m)
			if err != nil {
				return err
			}
			pending = append(pending, f)
		}
		for _, f := range pending {
			select {
			case <-f.Ok():
			case err := <-f.Err():
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

func (r natsRegion) Consume(ctx context.Context, _ string, perSecond int, note func(int)) error {
	wait, stop := shop.Pacer(perSecond)
	defer stop()
	consumer, err := r.js.Consumer(ctx, r.stream, r.durable)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(20))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		switch {
		case ctx.Err() != nil || errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return nil
		case err != nil:
			return err
		}
		wait(ctx)
		id, err := strconv.Atoi(m.Headers().Get("Order"))
		if err != nil {
			return err
		}
		if err := m.Ack(); err != nil {
			return err
		}
		note(id)
	}
}
