package chaos

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/tests/await"
	"weir/tests/lab"
)

// ledger is what has arrived in a queue.
type ledger struct {
	vhost *lab.VHost
	queue string
	stop  func()

	mu     sync.Mutex
	times  map[int]int // how often each order has arrived
	newest int
	late   int // orders that came for the first time after a later one
}

// consume takes from a queue until stop, and connects again where it must. What the queue itself gives again is not noted
// again.
func consume(t *testing.T, vhost *lab.VHost, queue string) *ledger {
	t.Helper()
	l := &ledger{vhost: vhost, queue: queue, times: map[int]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			l.connected(ctx)
		}
	})
	l.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(l.stop)
	return l
}

func (l *ledger) connected(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	defer func() { <-tick.C }()
	conn, err := dialAny(l.vhost)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil || ch.Qos(200, 0, false) != nil {
		return
	}
	deliveries, err := ch.Consume(l.queue, "", false, false, false, false, amqp091.Table{"x-cancel-on-ha-failover": true})
	if err != nil {
		return
	}
	for {
		select {
		case d, open := <-deliveries:
			if !open {
				return
			}
			l.note(&d)
			if d.Ack(false) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// note notes an order. One that the queue itself has given before counts once, and is not late.
func (l *ledger) note(d *amqp091.Delivery) {
	id, _ := strconv.Atoi(d.MessageId)
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.Redelivered && l.times[id] > 0 {
		return
	}
	if !d.Redelivered && l.times[id] == 0 && id < l.newest {
		l.late++
	}
	l.times[id]++
	l.newest = max(l.newest, id)
}

// largestWindow is that of a link from a classic queue with a single active consumer on RabbitMQ 3.
const largestWindow = 2000

// count is how many different orders have arrived.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.times)
}

// missing are those of ids that have not arrived.
func (l *ledger) missing(ids []int) (missing []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		if l.times[id] == 0 {
			missing = append(missing, id)
		}
	}
	return missing
}

// wantAll ends the stream, and fails unless all that was confirmed to its publisher arrives, and no more of it twice than can
// have been in flight at so many faults.
func (l *ledger) wantAll(t *testing.T, s *stream, faults int) {
	t.Helper()
	s.stop()
	await.That(t, 3*time.Minute, "complete: "+l.queue, func() bool { return len(l.missing(s.confirmed)) == 0 })
	l.mu.Lock()
	defer l.mu.Unlock()
	twice := 0
	for _, n := range l.times {
		twice += n - 1
	}
	t.Logf("%s: %d orders sent, %d confirmed, %d arrived, %d twice, %d late", l.queue, s.sent, len(s.confirmed), len(l.times), twice, l.late)
	if most := largestWindow * faults; twice > most {
		t.Errorf("%s: %d orders came twice, want %d at most", l.queue, twice, most)
	}
}
