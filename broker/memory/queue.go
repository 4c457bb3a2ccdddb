package memory

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"weir/broker"
)

// Queue is how a queue behaves. The zero Queue keeps everything for ever.
type Queue struct {
	// DeadLetter is the queue that gets what is rejected, or returned too often. Without it, or without that queue,
	// such messages are dropped.
	DeadLetter string
	// DeliveryLimit is how often a message may come back, by Returned, a closed source or a cut; 0 is no limit.
	DeliveryLimit int
	// MaxLength is how many ready messages it takes before it refuses more (reject-publish); 0 is no limit.
	MaxLength int
}

// fromArgs reads a Queue from the arguments that RabbitMQ would be given.
func fromArgs(args broker.Table) Queue {
	text := func(key string) string { s, _ := args[key].(string); return s }
	number := func(key string) int {
		switch n := args[key].(type) {
		case int32:
			return int(n)
		case int64:
			return int(n)
		}
		return 0
	}
	return Queue{
		DeadLetter:    text("x-dead-letter-routing-key"), // through the default exchange
		DeliveryLimit: number("x-delivery-limit"),
		MaxLength:     number("x-max-length"),
	}
}

type queue struct {
	b    *Broker
	name string
	Queue

	ready   []*entry // by position
	last    uint64   // position of the newest entry
	sources []*source
	turn    int // the source that is looked at first

	consumers int64 // those of others
}

// entry is one message in a queue, or in the hands of one of its sources.
type entry struct {
	position uint64
	message  *broker.Message
	stored   time.Time
	returns  int
}

func (q *queue) full() bool { return q.MaxLength > 0 && len(q.ready) >= q.MaxLength }

// store appends m, which nobody changes any more.
func (q *queue) store(m *broker.Message) {
	q.last++
	q.ready = append(q.ready, &entry{position: q.last, message: m, stored: time.Now()})
	q.dispatch()
}

// dispatch hands ready messages to sources with room in their windows, in turn.
func (q *queue) dispatch() {
	for len(q.ready) > 0 {
		s := q.taker()
		if s == nil {
			return
		}
		e := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		s.deliver(e)
	}
}

func (q *queue) taker() *source {
	for range q.sources {
		s := q.sources[q.turn%len(q.sources)]
		q.turn = (q.turn + 1) % len(q.sources)
		if s.room() {
			return s
		}
	}
	return nil
}

// leave takes s out of the round.
func (q *queue) leave(s *source) {
	q.sources = slices.DeleteFunc(q.sources, func(other *source) bool { return other == s })
	q.turn = 0
}

// giveBack puts entries where they were, before whatever came later. What came back too often is dead-lettered.
func (q *queue) giveBack(entries ...*entry) {
	for _, e := range entries {
		e.returns++
		if q.DeliveryLimit > 0 && e.returns > q.DeliveryLimit {
			q.deadLetter(e)
			continue
		}
		at, _ := slices.BinarySearchFunc(q.ready, e.position, func(e *entry, position uint64) int {
			return cmp.Compare(e.position, position)
		})
		q.ready = slices.Insert(q.ready, at, e)
	}
}

func (q *queue) deadLetter(e *entry) {
	to := q.b.queues[q.DeadLetter]
	if to == nil {
		return
	}
	m := *e.message
	m.Exchange, m.RoutingKey = "", q.DeadLetter
	to.store(&m)
}

// unacked is how many messages sources hold.
func (q *queue) unacked() (n int64) {
	for s := range q.b.sources {
		if s.q == q {
			n += int64(s.unsettled())
		}
	}
	return n
}

// message is what a source delivers. Body and nested headers are shared: nobody may change those.
func (q *queue) message(e *entry, tag uint64) *broker.Message {
	m := *e.message
	m.Headers = maps.Clone(m.Headers)
	m.Redelivered = e.returns > 0
	m.Origin = broker.Origin{Scope: q.b.name + "/" + q.name, Stored: e.stored, Returns: e.returns}
	m.Tag = tag
	return &m
}
