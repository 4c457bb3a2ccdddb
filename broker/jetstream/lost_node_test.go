package jetstream_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

// A session goes on when the consumer gets another leader, and nothing is lost.
func TestConsumerMoves(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 3, nil)
	js := s.native(t)
	createStream(t, js, natsjs.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: 3, Retention: natsjs.WorkQueuePolicy})
	createConsumer(t, js, "S", natsjs.ConsumerConfig{Durable: "C", AckWait: ackWait})
	b := open(t, jetstream.Config{URIs: s.urls()})
	src := openSource(t, b, broker.Address{Stream: "S", Consumer: "C"}, broker.SourceOptions{})
	const all = 300
	seen := map[string]bool{}
	for i := range all {
		publish(t, js, "s", fmt.Sprint(i))
		if i%100 == 50 {
			// Whoever steps down may do so before it answers.
			_, _ = js.Conn().Request("$JS.API.CONSUMER.LEADER.STEPDOWN.S.C", nil, time.Second)
		}
	}
	for len(seen) < all {
		m := receive(t, src)
		seen[string(m.Body)] = true
		if err := src.Ack(m); err != nil {
			t.Fatal(err)
		}
	}
}

// A node is killed while messages flow from one stream to another: none is lost.
func TestNodeIsKilledInFullFlow(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 3, nil)
	js := s.native(t)
	const all = 3000
	b := open(t, jetstream.Config{URIs: s.urls(), Streams: jetstream.Streams{Replicas: 3}, SubjectPrefix: "p"})
	from, to := broker.Address{Queue: "from"}, broker.Address{Queue: "to"}
	for _, queue := range []string{"from", "to"} {
		createStream(t, js, natsjs.StreamConfig{Name: "p_q_" + queue, Subjects: []string{"p.q." + queue}, Replicas: 3, Retention: natsjs.WorkQueuePolicy})
		createConsumer(t, js, "p_q_"+queue, natsjs.ConsumerConfig{Durable: queue, AckWait: ackWait})
	}
	publishNumbers(t, js, "p.q.from", all)
	killed := make(chan struct{})
	moved := 0
	done := func() bool {
		d, err := b.Depth(within(t), from)
		return err == nil && d.Ready.N+d.Unacked.N == 0
	}
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			d, err := b.Depth(within(t), from)
			t.Fatalf("not done after %v: %+v %v; moved %d", patience, d, err, moved)
		}
		carry(t, b, from, to, func() {
			if moved++; moved == all/3 {
				go func() { s.stop(1); close(killed) }()
			}
		})
	}
	await(t, "end of the node", killed)
	got := map[string]bool{}
	src := openSource(t, b, to, broker.SourceOptions{})
	for len(got) < all {
		m := receive(t, src)
		got[string(m.Body)] = true
		if err := src.Ack(m); err != nil {
			t.Fatal(err)
		}
	}
}

// carry moves messages until a session is lost, or nothing comes for a while.
func carry(t *testing.T, b *jetstream.Broker, from, to broker.Address, moved func()) {
	sink, err := b.OpenSink(within(t), to, broker.SinkOptions{Site: "eu"})
	if err != nil {
		return
	}
	defer sink.Close()
	src, err := b.OpenSource(within(t), from, broker.SourceOptions{Site: "eu", Window: 50})
	if err != nil {
		return
	}
	defer src.Close()
	type sent struct {
		m *broker.Message
		c broker.Confirm
	}
	var flight []sent
	settled := func(most int) bool {
		for len(flight) > most {
			select {
			case <-flight[0].c.Done():
			case <-time.After(5 * time.Second):
				return false
			}
			if flight[0].c.Err() != nil || src.Ack(flight[0].m) != nil {
				return false
			}
			flight = flight[1:]
			moved()
		}
		return true
	}
	for settled(40) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		m, err := src.Receive(ctx)
		cancel()
		if err != nil {
			settled(0)
			return
		}
		c, err := sink.Send(t.Context(), m)
		if err != nil {
			return
		}
		flight = append(flight, sent{m, c})
	}
}
