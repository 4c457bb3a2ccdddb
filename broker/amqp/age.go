package amqp

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"weir/broker"
)

// mostSamples bounds what is remembered of one queue.
const mostSamples = 128

// sample is one reading of a queue: what lay there, and counters that only grow.
type sample struct {
	at             time.Time
	ready, unacked int64
	counters
}

// ages bounds the age of the oldest ready message of one queue, which RabbitMQ does not tell. A queue is first in, first out:
// whoever knows how much was ready at a time and how much has left since, knows whether any of it is still there.
// Messages with a higher priority, and those that come back, are not accounted for.
type ages struct {
	samples []sample // oldest first
}

// add remembers a reading. A counter that has shrunk was reset, and what was known before says nothing any more.
func (a *ages) add(s sample) {
	if n := len(a.samples); n > 0 {
		last := a.samples[n-1]
		switch {
		case s.Publish < last.Publish, s.DeliverGet < last.DeliverGet, s.left() < last.left():
			a.samples = a.samples[:0]
		case !s.at.After(last.at):
			return
		}
	}
	a.samples = append(a.samples, s)
	if len(a.samples) > mostSamples {
		a.thin()
	}
}

// thin drops the reading that is missed least: the one whose neighbours are nearest to each other, as seen from now. What
// is left is spaced evenly on a logarithmic scale, so an age is known to a few percent, however great.
func (a *ages) thin() {
	now := a.samples[len(a.samples)-1].at
	least, drop := math.Inf(1), 0
	for i := 1; i < len(a.samples)-1; i++ {
		before, after := a.samples[i-1].at, a.samples[i+1].at
		if gap := after.Sub(before).Seconds() / now.Sub(before).Seconds(); gap < least {
			least, drop = gap, i
		}
	}
	a.samples = slices.Delete(a.samples, drop, drop+1)
}

// left is how many have left for good, at least.
func (s sample) left() int64 { return s.Ack + s.DeliverNoAck + s.GetNoAck }

// bounds says how old the oldest ready message is at the last reading, at least and at most.
func (a *ages) bounds() (least, most broker.Age) {
	if len(a.samples) == 0 {
		return broker.Age{}, broker.Age{}
	}
	now := a.samples[len(a.samples)-1]
	if now.ready == 0 {
		return broker.Aged(0), broker.Aged(0)
	}
	// Since the oldest reading of which something is still there: it is at least that old.
	for _, then := range a.samples {
		if mostDeparted(then, now) < then.ready {
			least = broker.Aged(now.at.Sub(then.at))
			break
		}
	}
	if !least.Known {
		least = broker.Aged(0)
	}
	// Since the newest reading of which nothing is still there: it is at most that old.
	for _, then := range slices.Backward(a.samples) {
		if leastDeparted(then, now) >= then.ready+then.unacked {
			most = broker.Aged(max(now.at.Sub(then.at), least.D))
			break
		}
	}
	return least, most
}

// mostDeparted is how many can have left the ready messages in between: each delivery, and what the balance says has
// gone without one (expired, dropped, purged).
func mostDeparted(then, now sample) int64 {
	gone := then.ready + then.unacked + now.Publish - then.Publish - now.ready - now.unacked
	return max(now.DeliverGet-then.DeliverGet, gone)
}

// leastDeparted is how many have left for good: a delivery alone may be a second one.
func leastDeparted(then, now sample) int64 { return now.left() - then.left() }

// history has the ages of every queue that is asked about, and the last answer of the management API.
type history struct {
	mu     sync.Mutex
	queues map[string]*record
}

type record struct {
	mu      sync.Mutex
	ages    ages
	last    queue
	at      time.Time // of last
	asking  bool
	carried bool // a consumer of another gateway, or of the federation plugin, has been seen
}

const (
	// readEvery is the shortest time between two questions about one queue. The broker's statistics change every 5 s.
	readEvery = time.Second
	// stale is how old an answer may be that is given while the next one is on its way.
	stale = 3 * time.Second
)

// latest is what is known of a queue beside what AMQP tells.
type latest struct {
	queue
	least, most broker.Age
	carried     bool
}

// read tells what the management API has said of a queue, and asks it again if that was a while ago. It waits for the
// answer only if there is none that is good enough.
func (h *history) read(ctx context.Context, p *pool, m *management, vhost, name string) (latest, error) {
	r := h.record(name)
	r.mu.Lock()
	age, asking := time.Since(r.at), r.asking
	if age >= readEvery && age < stale && !asking {
		r.asking = true
	}
	r.mu.Unlock()
	switch {
	case age >= stale:
		if err := r.ask(ctx, m, vhost, name); err != nil {
			return latest{}, err
		}
	case age >= readEvery && !asking:
		p.begin(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stale)
			defer cancel()
			_ = r.ask(ctx, m, vhost, name) // who asks when it is stale gets the error
			r.mu.Lock()
			defer r.mu.Unlock()
			r.asking = false
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	least, most := r.ages.bounds()
	return latest{r.last, least, most, r.carried}, nil
}

// ask asks the management API.
func (r *record) ask(ctx context.Context, m *management, vhost, name string) error {
	q, err := m.queue(ctx, vhost, name)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.at = q, time.Now()
	r.carried = r.carried || slices.ContainsFunc(q.Details, consumer.carries)
	if q.Ready != nil && q.Unacked != nil {
		r.ages.add(sample{at: r.at, ready: *q.Ready, unacked: *q.Unacked, counters: q.Stats})
	}
	return nil
}

func (h *history) record(name string) *record {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.queues == nil {
		h.queues = make(map[string]*record)
	}
	if h.queues[name] == nil {
		h.queues[name] = new(record)
	}
	return h.queues[name]
}
