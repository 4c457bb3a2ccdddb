package amqp

import (
	"sync"
	"time"

	"weir/broker"
)

// Bounds of the silence that quiet waits for, and of the wait.
const (
	leastSilence = 150 * time.Millisecond
	mostSilence  = 500 * time.Millisecond
	mostWait     = 3 * time.Second
)

// settling is how long the broker gets to pass on what was settled before its channel closes.
const settling = 25 * time.Millisecond

// quiet brings a consumer to rest before it is cancelled, and a channel before it is closed.
//
// A quorum queue takes back what is on its way to a consumer that has been cancelled, counts that towards the delivery
// limit, and gives it to others, out of order. So settlements are kept back for a moment: once as many messages have been
// received and not settled as the window allows, or the broker has been silent for a while, nothing is on its way any more.
// A busy broker may pause in the middle, so what is silent is asked whether anything is left to deliver.
//
// It also forgets settlements that its channel has not passed on when it closes, which are those beyond a few dozen at
// once; the messages would come again. So after a Stop all are kept back until Close, which settles them in one go.
type quiet struct {
	mu      sync.Mutex
	keeping bool
	kept    []settlement
	last    time.Time // of the last message received, while keeping
	trip    time.Duration

	tag      string // of the consumer whose messages are received now
	window   int
	first    uint64              // tag of the consumer's first message
	received uint64              // the last tag
	floor    uint64              // every tag up to it has been settled
	singles  map[uint64]struct{} // settled beyond it
}

// settlement is one basic.ack or basic.reject.
type settlement struct {
	tag      uint64
	multiple bool
	how      broker.Settlement
}

// answered notes how long the broker took to answer.
func (q *quiet) answered(trip time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.trip = trip
}

func (q *quiet) roundTrip() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.trip
}

// begin is called before the first message of a consumer is received.
func (q *quiet) begin(tag string, window int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tag, q.window, q.first = tag, window, q.received+1
}

// receive notes a message.
func (q *quiet) receive(tag uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.received = tag
	if q.keeping {
		q.last = time.Now()
	}
}

// settle does it, or keeps it back. A cumulative one takes the place of the one before.
func (q *quiet) settle(t settlement, do func(settlement) error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.keeping {
		q.settled(t)
		return do(t)
	}
	if n := len(q.kept); n > 0 && t.multiple && q.kept[n-1].multiple {
		q.kept[n-1] = t
	} else {
		q.kept = append(q.kept, t)
	}
	return nil
}

// settled counts what the broker is told.
func (q *quiet) settled(t settlement) {
	if t.multiple {
		for tag := range q.singles {
			if tag <= t.tag {
				delete(q.singles, tag)
			}
		}
		q.floor = t.tag
	} else {
		if q.singles == nil {
			q.singles = make(map[uint64]struct{})
		}
		q.singles[t.tag] = struct{}{}
	}
	for next := q.floor + 1; ; next++ {
		if _, ok := q.singles[next]; !ok {
			return
		}
		delete(q.singles, next)
		q.floor = next
	}
}

// full tells whether a consumer's window is, as the broker sees it: then no more can be on its way. Of one whose messages
// come later nobody knows yet. The caller holds mu.
func (q *quiet) full(tag string) bool {
	if tag != q.tag {
		return false
	}
	unsettled := int(q.received) - int(max(q.floor, q.first-1))
	for tag := range q.singles {
		if tag >= q.first {
			unsettled--
		}
	}
	return unsettled >= q.window
}

// isFull is full, for others.
func (q *quiet) isFull(tag string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.full(tag)
}

// await begins to keep settlements back and returns when nothing is on its way to a consumer, or does not come to an end.
// empty asks the broker whether nothing is left to deliver.
func (q *quiet) await(tag string, empty func() bool) {
	q.mu.Lock()
	began := time.Now()
	q.keeping, q.last = true, began
	silence := min(max(4*q.trip, leastSilence), mostSilence)
	q.mu.Unlock()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for now := range tick.C {
		q.mu.Lock()
		full, silent, served := q.full(tag), now.Sub(q.last) >= silence, tag != q.tag || q.received >= q.first
		q.mu.Unlock()
		switch {
		case full, now.Sub(began) > mostWait:
			return
		case silent && (!served || empty()): // one that has got nothing so far may have to wait for its turn
			return
		case silent: // it is asked again after the next silence
			q.mu.Lock()
			q.last = now
			q.mu.Unlock()
		}
	}
}

// end does what was kept back.
func (q *quiet) end(do func(settlement) error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.keeping = false
	kept := q.kept
	q.kept = nil
	for _, t := range kept {
		q.settled(t)
		if err := do(t); err != nil {
			return err
		}
	}
	return nil
}

// rest does what was kept back and gives the broker the time to pass it on.
func (q *quiet) rest(do func(settlement) error) error {
	err := q.end(do)
	timer := time.NewTimer(settling)
	defer timer.Stop()
	<-timer.C
	return err
}
