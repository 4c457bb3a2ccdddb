package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

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
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = free.Close() }()
	return embedded{name: name, address: free.Addr().String(), folder: t.TempDir()}
}

func (e embedded) YAML() string {
	return fmt.Sprintf("{type: embedded, nodes: 3, data-dir: %s, listen: %q}", e.folder, e.address)
}

// queueSubject is where a queue's messages are published.
func queueSubject(queue string) string { return "q." + queue }

func (e embedded) jetstream(t *testing.T) jetstream.JetStream {
	t.Helper()
	var nc *nats.Conn
	await.That(t, 20*time.Second, "connected to "+e.name, func() (ok bool) {
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

// declareQueue makes what a queue is on JetStream: a work-queue stream with one durable.
func (e embedded) declareQueue(t *testing.T, js jetstream.JetStream, queue string) {
	t.Helper()
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "q_" + queue, Subjects: []string{queueSubject(queue)}, Retention: jetstream.WorkQueuePolicy,
		Storage: jetstream.FileStorage, Replicas: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	e.declareConsumer(t, stream, queue, "")
}

// declareBound makes a durable on an exchange's stream, bound by a routing key.
func (e embedded) declareBound(t *testing.T, js jetstream.JetStream, exchange, durable, key string) {
	t.Helper()
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "x_" + exchange, Subjects: []string{"x." + exchange + ".>"}, Retention: jetstream.InterestPolicy,
		Storage: jetstream.FileStorage, Replicas: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	e.declareConsumer(t, stream, durable, "x."+exchange+"."+key)
}

func (e embedded) declareConsumer(t *testing.T, stream jetstream.Stream, durable, filter string) {
	t.Helper()
	_, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{
		Durable: durable, FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Minute, MaxAckPending: 20_000,
	})
	if err != nil {
		t.Fatal(err)
	}
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
