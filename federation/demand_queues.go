package federation

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"weak"
)

// queues is what the queue links of one process tell each other: about queues that are downstream of one link and upstream
// of another, and how many depths are read on a broker. A nil *queues knows nothing.
type queues struct {
	mu      sync.Mutex
	places  map[placeName]weak.Pointer[place] // of links there are: queues come and go
	readers map[string]*readers
}

type placeName struct{ broker, queue string }

func newQueues() *queues {
	return &queues{places: map[placeName]weak.Pointer[place]{}, readers: map[string]*readers{}}
}

// place is the one queue of that name. broker is the name it is declared under.
func (q *queues) place(broker, queue string) *place {
	if q == nil {
		return &place{}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	name := placeName{broker, queue}
	p := q.places[name].Value()
	if p == nil {
		p = &place{name: name}
		q.places[name] = weak.Make(p)
		runtime.AddCleanup(p, q.forget, name)
	}
	return p
}

// forget: no link has that place any more, unless another one has been made by now.
func (q *queues) forget(name placeName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.places[name].Value() == nil {
		delete(q.places, name)
	}
}

func (q *queues) on(broker string) *readers {
	if q == nil {
		return &readers{}
	}
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
type place struct {
	name placeName    // also for its pointers: without any, a neighbour in memory might keep it
	busy atomic.Int64 // until then, in ns since 1970
}

// How long a queue counts as busy after the first visit of a message, and at most.
const (
	firstBusy   = 500 * time.Millisecond
	longestBusy = 30 * time.Second
)

// noneFree notes that its consumers had no time for a message that has been there so many times.
func (p *place) noneFree(visits int64, now time.Time) {
	busy := longestBusy
	if shift := max(visits, 1) - 1; shift < 6 {
		busy = firstBusy << shift
	}
	until := now.Add(busy).UnixNano()
	for {
		known := p.busy.Load()
		if known >= until || p.busy.CompareAndSwap(known, until) {
			return
		}
	}
}

func (p *place) busyUntil() time.Time { return time.Unix(0, p.busy.Load()) }

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
