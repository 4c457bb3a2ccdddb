package jetstream_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

func publish(t testing.TB, js natsjs.JetStream, subject string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		id := natsjs.WithMsgID(fresh("id")) // so that it is stored once, however often it is sent
		asked(t, func(ctx context.Context) error {
			_, err := js.Publish(ctx, subject, []byte(body), id)
			return err
		})
	}
}

func createStream(t testing.TB, js natsjs.JetStream, c natsjs.StreamConfig) natsjs.Stream {
	t.Helper()
	var s natsjs.Stream
	asked(t, func(ctx context.Context) (err error) {
		s, err = js.CreateStream(ctx, c)
		return err
	})
	return s
}

func createConsumer(t testing.TB, js natsjs.JetStream, stream string, c natsjs.ConsumerConfig) natsjs.Consumer {
	t.Helper()
	if c.AckPolicy == 0 {
		c.AckPolicy = natsjs.AckExplicitPolicy
	}
	var made natsjs.Consumer
	asked(t, func(ctx context.Context) (err error) {
		made, err = js.CreateOrUpdateConsumer(ctx, stream, c)
		return err
	})
	return made
}

func messages(t testing.TB, js natsjs.JetStream, stream string) uint64 {
	t.Helper()
	s, err := js.Stream(within(t), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// publishNumbers stores 0 to n-1, without waiting for each in turn.
func publishNumbers(t testing.TB, js natsjs.JetStream, subject string, n int) {
	t.Helper()
	sent := make([]natsjs.PubAckFuture, n)
	for i := range sent {
		var err error
		if sent[i], err = js.PublishAsync(subject, fmt.Append(nil, i), natsjs.WithMsgID(fresh("id"))); err != nil {
			t.Fatal(err)
		}
	}
	for _, ack := range sent {
		select {
		case <-ack.Ok():
		case err := <-ack.Err(): // a cluster drops what comes while it elects a leader
			t.Logf("%v; again", err)
			asked(t, func(ctx context.Context) error {
				_, err := js.PublishMsg(ctx, ack.Msg())
				return err
			})
		case <-time.After(patience):
			t.Fatalf("no answer to a message within %v", patience)
		}
	}
}
