package federation_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/link"
	"weir/tests/lab"
)

// withQueues runs a test with two regions that have a queue "work", for each version and type of queue ("3.10/classic").
func withQueues(t *testing.T, on []string, test func(t *testing.T, eu, us region)) {
	t.Helper()
	t.Parallel()
	for _, name := range on {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			version, kind, _ := strings.Cut(name, "/")
			node := lab.RabbitMQ(t, version)
			eu, us := newRegion(t, node), newRegion(t, node)
			for _, r := range []region{eu, us} {
				_, err := r.ch.QueueDeclare("work", true, false, false, false, amqp091.Table{"x-queue-type": kind})
				r.must(err)
			}
			test(t, eu, us)
		})
	}
}

// put publishes n messages to the queue work, numbered from first, and returns when they are stored.
func (r region) put(first, n int) {
	r.Helper()
	var last *amqp091.DeferredConfirmation
	for i := range n {
		c, err := r.ch.PublishWithDeferredConfirm("", "work", true, false,
			amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: fmt.Appendf(nil, "%06d", first+i)})
		r.must(err)
		last = c
	}
	r.stored(last)
}

// ready is how many messages wait in the queue work. A busy quorum queue may say 0.
func (r region) ready() int {
	r.Helper()
	q, err := r.ch.QueueDeclarePassive("work", true, false, false, false, nil)
	r.must(err)
	return q.Messages
}

// hand is an application that consumes from the queue work on a connection of its own.
type hand struct {
	conn   *amqp091.Connection
	closed chan struct{}

	mu  sync.Mutex
	did map[string]int // bodies
	all []amqp091.Delivery
}

// consume starts one with a prefetch, which acks each message after so long; never if that is negative.
func (r region) consume(prefetch int, takes time.Duration) *hand {
	r.Helper()
	h := &hand{conn: r.Dial(), closed: make(chan struct{}), did: map[string]int{}}
	ch, err := h.conn.Channel()
	r.must(err)
	r.must(ch.Qos(prefetch, 0, false))
	deliveries, err := ch.Consume("work", "", false, false, false, false, nil)
	r.must(err)
	go func() {
		defer close(h.closed)
		for d := range deliveries {
			if takes < 0 {
				continue
			}
			<-time.After(takes)
			if d.Ack(false) != nil {
				return
			}
			h.mu.Lock()
			h.did[string(d.Body)]++
			h.all = append(h.all, d)
			h.mu.Unlock()
		}
	}()
	r.Cleanup(h.stop)
	return h
}

// stop ends it as a crash does.
func (h *hand) stop() {
	_ = h.conn.Close()
	<-h.closed
}

func (h *hand) done() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all)
}

// took is what it has acked, in order.
func (h *hand) took() []amqp091.Delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all)
}

// together is how often hands have done each message.
func together(hands []*hand) map[string]int {
	did := map[string]int{}
	for _, h := range hands {
		h.mu.Lock()
		for body, times := range h.did {
			did[body] += times
		}
		h.mu.Unlock()
	}
	return did
}

// distinct is how many messages hands have done, however often.
func distinct(hands ...*hand) int { return len(together(hands)) }

// eachOnce checks that hands have done the messages 0 to n-1. What a hand had acked when it was stopped the broker may not
// have heard of: so many may have been done twice.
func eachOnce(t *testing.T, n, twice int, hands ...*hand) {
	t.Helper()
	did, again := together(hands), 0
	for _, times := range did {
		again += times - 1
	}
	if len(did) != n || again > twice {
		t.Errorf("%d of %d messages were done, %d of them twice, want %d at most", len(did), n, again, twice)
	}
}

// Two queues that are each other's upstream: consumers on one side alone, then on the other alone.
func TestRabbitMQQueuesBothWays(t *testing.T) {
	var all []string
	for _, version := range lab.Versions() {
		all = append(all, version+"/classic", version+"/quorum")
	}
	withQueues(t, all, func(t *testing.T, eu, us region) {
		const n = 3000
		eu.put(0, n)
		g := federate(t, eu, us, bothWays)
		there := us.consume(100, 200*time.Microsecond)
		eventually(t, "a third is done in us", func() bool { return there.done() > n/3 })
		there.stop()
		here := eu.consume(100, 200*time.Microsecond)
		eventually(t, "all is done", func() bool { return distinct(there, here) >= n && eu.ready() == 0 && us.ready() == 0 })
		g.stop()
		eachOnce(t, n, 100, there, here)
	})
}

// One slow consumer: no more than a batch lies downstream, and when the consumer is gone nothing more comes.
func TestRabbitMQQueueStrandsABatchAtMost(t *testing.T) {
	withQueues(t, []string{"3.10/classic", "4.0/quorum", "newest/quorum"}, func(t *testing.T, eu, us region) {
		us.put(0, 1000)
		g := federate(t, eu, us, workFromUS)
		slow := eu.consume(1, 50*time.Millisecond)
		most := 0
		eventually(t, "60 are done", func() bool { most = max(most, eu.ready()); return slow.done() >= 60 })
		if most > 100 { // a batch is what takes a quarter of a second, and more only while the machine stutters
			t.Errorf("%d messages lay downstream before a consumer of 20 a second", most)
		}
		eventually(t, "one waits downstream, besides that which the consumer has", func() bool { return eu.ready() > 0 })
		slow.stop()
		var left, there int
		eventually(t, "what is stranded is shown", func() bool {
			left = eu.ready()
			why := fmt.Sprintf("%d ready downstream, no consumers", left)
			if left == 0 { // the consumer has been quick
				why = "no consumers downstream"
			}
			s := g.status(fromUSLink)
			return s.State == link.Shut && s.Reason == why && *s.Federation.Stranded <= int64(left)
		})
		eventually(t, "the rest is upstream", func() bool { there = us.ready(); return there > 0 })
		if left > 100 {
			t.Errorf("%d messages are stranded", left)
		}
		<-time.After(2 * time.Second)
		eventually(t, fmt.Sprintf("still %d downstream and %d upstream", left, there), func() bool { return eu.ready() == left && us.ready() == there })
	})
}

// Both sides have consumers that are busy for long: what waits moves now and then, not all the time.
func TestRabbitMQQueuesDoNotPlayPingPong(t *testing.T) {
	withQueues(t, []string{"newest/quorum"}, func(t *testing.T, eu, us region) {
		for _, r := range []region{eu, us} {
			r.put(0, 1)
			r.consume(1, -1)
			eventually(t, "the consumer has its message", func() bool { return r.ready() == 0 })
		}
		eu.put(1, 3)
		g := federate(t, eu, us, bothWays)
		moved := func() (n int64) {
			for _, s := range g.Statuses() {
				n += s.Counts.Confirmed
			}
			return n
		}
		eventually(t, "a message has moved", func() bool { return moved() > 0 })
		<-time.After(6 * time.Second)
		if n := moved(); n > 30 {
			t.Errorf("three messages moved %d times within 6 seconds", n)
		}
	})
}

// weir one way, RabbitMQ's plugin the other: each reads the other's headers, and the list does not grow. The plugin of 3.10
// is not told of every change of a quorum queue (rabbitmq-server#9138).
func TestRabbitMQQueuesWithThePlugin(t *testing.T) {
	withQueues(t, []string{"3.10/classic", "newest/classic", "newest/quorum"}, func(t *testing.T, eu, us region) {
		us.Parameter("federation-upstream", "eu", map[string]any{"uri": eu.URIs()[0]})
		us.Policy("work", "^work$", "queues", map[string]any{"federation-upstream": "eu"})
		g := federate(t, eu, us, workFromUS)
		us.put(0, 100)
		sides := []region{eu, us}
		// The messages cross three times: consumers take them on one side, publish them there anew with their headers, and go.
		for i := range 3 {
			here, there := sides[i%2], sides[(i+1)%2]
			h := here.consume(100, 0)
			eventually(t, "all is done", func() bool { return distinct(h) >= 100 })
			h.stop()
			eachOnce(t, 100, 100, h)
			for _, d := range h.took() {
				hops, _ := d.Headers["x-received-from"].([]any)
				if len(hops) == 0 || len(hops) > 2 || d.Headers["x-original-routing-key"] != "work" {
					t.Fatalf("crossing %d: headers %v", i+1, d.Headers)
				}
				newest := hops[0].(amqp091.Table)
				if visits, _ := newest["visit-count"].(int64); visits < int64(i/2+1) || newest["queue"] != "work" || newest["redelivered"] == nil {
					t.Fatalf("crossing %d: newest hop %v", i+1, newest)
				}
				if uri, _ := newest["uri"].(string); !strings.HasSuffix(uri, there.Name) || strings.Contains(uri, there.Password) {
					t.Fatalf("crossing %d: newest hop %v, want one that left %s", i+1, newest, there.Name)
				}
			}
			if i == 2 {
				break
			}
			eventually(t, "weir's link is shut", func() bool { return g.status(fromUSLink).State == link.Shut })
			_, err := here.ch.QueuePurge("work", false) // what the broker had not heard to be acked
			here.must(err)
			for _, d := range h.took() {
				c, err := here.ch.PublishWithDeferredConfirm("", "work", true, false, amqp091.Publishing{Headers: d.Headers, Body: d.Body})
				here.must(err)
				here.stored(c)
			}
		}
	})
}

// What was declared downstream is declared the same way upstream, and consumed with less priority than applications do.
func TestRabbitMQDeclaresAnUpstreamQueue(t *testing.T) {
	onRabbitMQ(t, func(t *testing.T, eu, us region) {
		args := amqp091.Table{"x-queue-type": "quorum", "x-max-length": int64(50_000), "x-dead-letter-exchange": "amq.fanout"}
		_, err := eu.ch.QueueDeclare("work", true, false, false, false, args)
		eu.must(err)
		federate(t, eu, us, workFromUS)
		eu.consume(10, 0)
		var queue struct {
			Type      string
			Arguments map[string]any
			Consumers []struct {
				Arguments map[string]any
			} `json:"consumer_details"`
		}
		eventually(t, "the upstream's queue has a consumer", func() bool {
			return us.Get("queues/{vhost}/work", &queue) && len(queue.Consumers) == 1
		})
		want := []string{"x-dead-letter-exchange", "x-max-length", "x-queue-type"}
		if got := slices.Sorted(maps.Keys(queue.Arguments)); queue.Type != "quorum" || !slices.Equal(got, want) {
			t.Errorf("%s queue with %v", queue.Type, queue.Arguments)
		}
		if p := queue.Consumers[0].Arguments["x-priority"]; p != float64(-1) {
			t.Errorf("priority %v", p)
		}
	})
}
