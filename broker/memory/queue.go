package memory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/broker"
)

// Queue is how a queue behaves. The zero Queue is durable and keeps everything for ever.
type Queue struct {
	// DeadLetter is the queue that gets what is rejected, or returned too often. Without it, or without that queue,
	// such messages are dropped.
	DeadLetter string
	// DeliveryLimit is how often a message may come back, by Returned, a closed source or a cut; 0 is no limit.
	DeliveryLimit int
	// MaxLength is how many ready messages it takes before it refuses more (reject-publish); 0 is no limit.
	MaxLength int
	// MessageTTL is how long a message stays ready before it is dead-lettered; 0 is for ever.
	MessageTTL time.Duration
	// Expires is how long the queue stays without a consumer before it goes, messages and all; 0 is for ever.
	Expires time.Duration
	// SingleActive: one consumer gets messages, and the next one when that has gone.
	SingleActive bool
	// Transient, AutoDelete and Exclusive are for the Catalog to tell, and change nothing.
	Transient, AutoDelete, Exclusive bool
	// Arguments are those it is declared with. The ones that stand for a field above set it.
	Arguments broker.Table
}

// obeying is q with what its arguments say.
func (q Queue) obeying() Queue {
	milliseconds := func(key string) time.Duration { return time.Duration(number(q.Arguments, key)) * time.Millisecond }
	letters, _ := q.Arguments["x-dead-letter-routing-key"].(string) // through the default exchange
	single, _ := q.Arguments["x-single-active-consumer"].(bool)
	q.DeadLetter = cmp.Or(q.DeadLetter, letters)
	q.DeliveryLimit = cmp.Or(q.DeliveryLimit, number(q.Arguments, "x-delivery-limit"))
	q.MaxLength = cmp.Or(q.MaxLength, number(q.Arguments, "x-max-length"))
	q.MessageTTL = cmp.Or(q.MessageTTL, milliseconds("x-message-ttl"))
	q.Expires = cmp.Or(q.Expires, milliseconds("x-expires"))
	q.SingleActive = q.SingleActive || single
	return q
}

// number reads an integer of any width, 0 if there is none.
func number(args broker.Table, key string) int {
	n, _ := widened(args[key]).(int64)
	return int(n)
}

type queue struct {
	b    *Broker
	name string
	Queue

	ready   []*entry  // by position
	last    uint64    // position of the newest entry
	sources []*source // in the order they came
	turn    int       // the source that is looked at first
	used    time.Time // when it was declared, or its last source left

	firstHop  bool  // see broker.Buffer
	consumers int64 // those of others, beside those among the sources
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

// wants tells whether the queue takes a message that is routed to it.
func (q *queue) wants(m *broker.Message) bool {
	_, crossed := m.Headers["x-received-from"]
	return !q.firstHop || !crossed
}

// delete takes the queue away. Its sources are lost.
func (q *queue) delete() {
	delete(q.b.queues, q.name)
	delete(q.b.mortal, q)
	q.b.endSources(fmt.Errorf("%w: queue %q is gone: %w", broker.ErrLost, q.name, broker.ErrNotFound), slices.Clone(q.sources)...)
	q.b.forget(q.name, false)
	q.b.hint("")
}

// dispatch hands ready messages to sources with room in their windows: first to those of the highest priority, in turn.
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
	var best *source
	turn := q.turn
	for i := range q.sources {
		at := (turn + i) % len(q.sources)
		s := q.sources[at]
		if s.room() && !q.standsBy(s) && (best == nil || s.priority > best.priority) {
			best, q.turn = s, at+1
		}
	}
	return best
}

// standsBy tells whether s waits for another source to leave.
func (q *queue) standsBy(s *source) bool { return q.SingleActive && q.sources[0] != s }

// leave takes s out of the round.
func (q *queue) leave(s *source) {
	q.sources = slices.DeleteFunc(q.sources, func(other *source) bool { return other == s })
	q.turn = 0
	q.used = time.Now()
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

// messages are those ready and those delivered.
func (q *queue) messages() int64 { return int64(len(q.ready)) + q.unacked() }

// foreign is how many consumers are others'.
func (q *queue) foreign() int64 {
	n := q.consumers
	for _, s := range q.sources {
		if s.foreign {
			n++
		}
	}
	return n
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
