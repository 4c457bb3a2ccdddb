package federation

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// queues is what the queue links of one process tell each other: about queues that are downstream of one link and upstream
// of another, and how many depths are read on a broker.
type queues struct {
	mu      sync.Mutex
	busy    map[place]time.Time // until then; those of which it has passed say nothing, and go when another one comes
	readers map[string]*readers
}

func newQueues() *queues {
	return &queues{busy: map[place]time.Time{}, readers: map[string]*readers{}}
}

func (q *queues) on(broker string) *readers {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.readers[broker] == nil {
		q.readers[broker] = &readers{}
	}
	return q.readers[broker]
}

// place is a queue, as those see it that move messages there and from there.
//
// A passive declare tells that a queue has consumers, not whether they are free. Two queues with a busy consumer each would
// send the last message to and fro for ever. But a link consumes with less priority than they, so a message that it gets
// tells that none of them was free; and one that it brings back where it has been tells that none was. After either the
// queue counts as busy for a moment, twice as long with each visit of the same message.
type place struct{ broker, queue string } // the name the broker is declared under

// How long a queue counts as busy after the first visit of a message, and at most.
const (
	firstBusy   = 500 * time.Millisecond
	longestBusy = 30 * time.Second
)

// noneFree notes that the consumers of a queue had no time for a message that has been there so many times.
func (q *queues) noneFree(p place, visits int64, now time.Time) {
	busy := longestBusy
	if shift := max(visits, 1) - 1; shift < 6 {
		busy = firstBusy << shift
	}
	until := now.Add(busy)
	q.mu.Lock()
	defer q.mu.Unlock()
	known, is := q.busy[p]
	if !is {
		maps.DeleteFunc(q.busy, func(_ place, until time.Time) bool { return until.Before(now) })
	}
	if until.After(known) {
		q.busy[p] = until
	}
}

// busyUntil is zero, or passed, for a queue that is not known to be busy.
func (q *queues) busyUntil(p place) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.busy[p]
}

// readers counts who reads depths on one broker: gates that are open or wait to be, and those of them that are open.
type readers struct{ all, open atomic.Int64 }

// How often a depth is read: fast while messages move, slowly where nothing changes. With many readers each reads less
// often, so that a broker has to answer no more than about a hundred questions a second of those that wait, and five
// hundred of the others.
const (
	fastReading = 20 * time.Millisecond
	slowReading = time.Second
	slowShare   = 10 * time.Millisecond
	fastShare   = 2 * time.Millisecond
)

// every is how long to wait for the next reading of a queue of which nothing has been heard for so long.
func (r *readers) every(still time.Duration) time.Duration {
	fast := max(fastReading, time.Duration(r.open.Load())*fastShare)
	slow := max(slowReading, time.Duration(r.all.Load())*slowShare)
	return min(max(still/4, fast), slow)
}
