package bench

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
)

// BenchmarkFederatedQueueQuorum and BenchmarkFederatedQueueClassic: weir beside RabbitMQ's federation plugin. Both bring a
// full queue to a fast consumer of an empty one.
func BenchmarkFederatedQueueQuorum(b *testing.B)  { federatedQueues(b, "quorum") }
func BenchmarkFederatedQueueClassic(b *testing.B) { federatedQueues(b, "classic") }

func federatedQueues(b *testing.B, queueType string) {
	q := &queues{pair: newPair(b, queueType)}
	for b.Loop() {
		q.stage().compare(b, "plugin", q.consumed(gateway(q.yaml())), q.consumed(q.plugin))
	}
}

// queues are a queue "bench" on each of two nodes, the second of which federates the first.
type queues struct {
	*pair
	consumers atomic.Int64 // messages that have come to the consumer
}

func (q *queues) stage() stage {
	s := q.pair.stage()
	s.fill = func(b *testing.B) {
		b.Helper()
		q.pair.fill(b)
		q.consumers.Store(0)
	}
	s.arrived = func() int { return int(q.consumers.Load()) }
	return s
}

// consumed has a consumer downstream while something moves.
func (q *queues) consumed(move mover) mover {
	return func(b *testing.B) (int, func()) {
		b.Helper()
		ch := q.to.Channel()
		if err := ch.Qos(2000, 0, false); err != nil {
			b.Fatal(err)
		}
		deliveries, err := ch.Consume("bench", "", false, false, false, false, nil)
		if err != nil {
			b.Fatal(err)
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			for d := range deliveries {
				if n := q.consumers.Add(1); n%200 == 0 || n >= Messages {
					_ = d.Ack(true)
				}
			}
		}()
		pid, stop := move(b)
		return pid, func() {
			stop()
			_ = ch.Close()
			<-gone
		}
	}
}

// yaml federates the queue.
func (q *queues) yaml() string {
	return fmt.Sprintf(`version: 1
site: bench
local: dst
brokers:
  src: {type: rabbitmq, uris: [%q], vhost: %q, username: %q, password: %q}
  dst: {type: rabbitmq, uris: [%q], vhost: %q, username: %q, password: %q, management: {uris: [%q]}}
upstreams:
  src: {broker: src}
policies:
  bench: {pattern: ^bench$, apply-to: queues, definition: {federation-upstream: src}}
`, bare(q.from.URIs()[0]), q.from.Name, q.from.Username, q.from.Password,
		bare(q.to.URIs()[0]), q.to.Name, q.to.Username, q.to.Password, q.to.Management()[0])
}

// plugin federates the queue inside the downstream's broker.
func (q *queues) plugin(*testing.B) (int, func()) {
	q.to.Parameter("federation-upstream", "bench", map[string]any{"uri": q.from.URIs()[0], "ack-mode": "on-confirm"})
	q.to.Policy("bench", "^bench$", "queues", map[string]any{"federation-upstream": "bench"})
	return 0, func() {
		q.to.Do(http.MethodDelete, "policies/{vhost}/bench", nil)
		q.to.Do(http.MethodDelete, "parameters/federation-upstream/{vhost}/bench", nil)
	}
}
