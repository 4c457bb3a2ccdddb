package chaos

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/tests/await"
	"weir/tests/lab"
)

// road is a way that numbered messages take: published in one region, consumed in the other. Its applications are connected to the
// first node of each cluster, which nothing happens to.
type road struct {
	name string
	sent chan int // how many were confirmed when publishing ended

	running sync.WaitGroup

	mu      sync.Mutex
	last    int       // the newest message that was published
	arrived []arrival // in the order of their coming
}

type arrival struct {
	id int
	at time.Time
}

const (
	pace    = 10 * time.Millisecond // between two messages of a road
	pending = 50                    // messages of a publisher that are not confirmed yet
)

// open publishes with a routing key until stop is closed, and consumes from a queue until the test ends.
func (r *road) open(t *testing.T, stop <-chan struct{}, from *lab.VHost, exchange, key string, to *lab.VHost, queue string) {
	t.Helper()
	r.sent = make(chan int, 1)
	t.Cleanup(r.running.Wait) // once the connections are closed
	in, out := to.Channel(), from.Channel()
	if err := in.Qos(100, 0, false); err != nil {
		t.Fatal(err)
	}
	deliveries, err := in.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Confirm(false); err != nil {
		t.Fatal(err)
	}
	r.running.Go(func() { r.publish(t, stop, out, exchange, key) })
	r.running.Go(func() { r.consume(t, deliveries) })
}

func (r *road) publish(t *testing.T, stop <-chan struct{}, ch *amqp091.Channel, exchange, key string) {
	var waiting []*amqp091.DeferredConfirmation
	n := 0
	settle := func(left int) {
		for ; len(waiting) > left; waiting = waiting[1:] {
			if !waiting[0].Wait() && !ch.IsClosed() {
				t.Errorf("%s: message %d was refused where it was published", r.name, n-len(waiting)+1)
			}
		}
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for stopped := false; !stopped; {
		confirm, err := ch.PublishWithDeferredConfirm(exchange, key, true, false, amqp091.Publishing{
			DeliveryMode: amqp091.Persistent, MessageId: strconv.Itoa(n + 1), Body: make([]byte, 256),
		})
		if err != nil {
			t.Errorf("%s: publish: %v", r.name, err)
			break
		}
		n++
		r.mu.Lock()
		r.last = n
		r.mu.Unlock()
		waiting = append(waiting, confirm)
		settle(pending)
		select {
		case <-tick.C:
		case <-stop:
			stopped = true
		}
	}
	settle(0)
	r.sent <- n
}

func (r *road) consume(t *testing.T, deliveries <-chan amqp091.Delivery) {
	seen := make(map[int]bool)
	for d := range deliveries {
		id, err := strconv.Atoi(d.MessageId)
		if err == nil {
			err = d.Ack(false)
		}
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			return
		}
		if d.Redelivered && seen[id] { // the broker's own doing
			continue
		}
		seen[id] = true
		r.mu.Lock()
		r.arrived = append(r.arrived, arrival{id, time.Now()})
		r.mu.Unlock()
	}
}

// newest is the message that was published last.
func (r *road) newest() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// passed is when the first message beyond id arrived.
func (r *road) passed(id int) (at time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.arrived) - 1; i >= 0 && r.arrived[i].id > id; i-- {
		at, ok = r.arrived[i].at, true
	}
	return at, ok
}

// reckon waits until all have arrived, and tells how many came again and how many after a later one.
func (r *road) reckon(t *testing.T) (again, late int) {
	t.Helper()
	n := <-r.sent
	seen, newest, next := make(map[int]bool), 0, 0
	await.That(t, limitOfWaits, fmt.Sprintf("arrived on road %s: all of %d", r.name, n), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for ; next < len(r.arrived); next++ {
			id := r.arrived[next].id
			switch {
			case seen[id]:
				again++
			case id < newest:
				late++
			}
			seen[id] = true
			newest = max(newest, id)
		}
		return len(seen) == n
	})
	return again, late
}
