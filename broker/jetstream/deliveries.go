package jetstream

import (
	"sort"
	"time"

	"github.com/nats-io/nats.go"
)

// delivery is one message that the broker has handed over and that is not settled.
type delivery struct {
	tag     uint64
	message *nats.Msg // until it is received
	reply   string    // where it is settled
	bytes   int
	touched time.Time // when the broker last began to count the ack wait
	settled bool
}

// deliveries are what a Source holds, in the order of arrival, which is the order of tags. First come those received
// and not settled, then those that wait to be received. The zero value is empty.
type deliveries struct {
	list    []delivery
	waiting int // index of the first that has not been received
	tag     uint64

	unsettled int // of all
	bytes     int
}

// add takes a message that has arrived.
func (d *deliveries) add(m *nats.Msg, now time.Time) {
	d.tag++
	d.list = append(d.list, delivery{tag: d.tag, message: m, reply: m.Reply, bytes: m.Size(), touched: now})
	d.unsettled++
	d.bytes += m.Size()
}

// receive hands out the next one. ok is false if none waits.
func (d *deliveries) receive() (m *nats.Msg, tag uint64, ok bool) {
	if d.waiting == len(d.list) {
		return nil, 0, false
	}
	next := &d.list[d.waiting]
	d.waiting++
	m, next.message = next.message, nil
	return m, next.tag, true
}

// settle takes one out that has been received. ok is false if it is not there.
func (d *deliveries) settle(tag uint64) (reply string, ok bool) {
	i := d.find(tag)
	if i < 0 {
		return "", false
	}
	reply = d.list[i].reply
	d.remove(i)
	d.compact()
	return reply, true
}

// settleThrough takes out the one with tag, and all received before it, whose places it appends to replies. ok is false
// if tag is not there, and then nothing is taken.
func (d *deliveries) settleThrough(tag uint64, replies []string) (_ []string, ok bool) {
	if d.find(tag) < 0 {
		return replies, false
	}
	for i := 0; i < d.waiting && d.list[i].tag <= tag; i++ {
		if !d.list[i].settled {
			replies = append(replies, d.list[i].reply)
			d.remove(i)
		}
	}
	d.compact()
	return replies, true
}

// untouched appends the places of those that have not been touched for age, which touches them.
func (d *deliveries) untouched(now time.Time, age time.Duration, replies []string) []string {
	for i := range d.list {
		if e := &d.list[i]; !e.settled && now.Sub(e.touched) >= age {
			e.touched = now
			replies = append(replies, e.reply)
		}
	}
	return replies
}

// first is where the first one is settled, empty if there is none.
func (d *deliveries) first() string {
	for _, e := range d.list {
		if !e.settled {
			return e.reply
		}
	}
	return ""
}

// rest takes out everything, received or not.
func (d *deliveries) rest() []delivery {
	rest := make([]delivery, 0, d.unsettled)
	for _, e := range d.list {
		if !e.settled {
			e.message = nil
			rest = append(rest, e)
		}
	}
	d.list, d.waiting, d.unsettled, d.bytes = nil, 0, 0, 0
	return rest
}

// find returns the index of one that is received and unsettled, or -1.
func (d *deliveries) find(tag uint64) int {
	i := sort.Search(d.waiting, func(i int) bool { return d.list[i].tag >= tag })
	if i == d.waiting || d.list[i].tag != tag || d.list[i].settled {
		return -1
	}
	return i
}

func (d *deliveries) remove(i int) {
	e := &d.list[i]
	e.settled = true
	d.unsettled--
	d.bytes -= e.bytes
}

// compact drops what is settled once it is most of the list, so that one message that stays unsettled for long does not
// make the list grow.
func (d *deliveries) compact() {
	if len(d.list) < 2*d.unsettled+64 {
		return
	}
	kept, waiting := d.list[:0], 0
	for i := range d.list {
		if !d.list[i].settled {
			if i < d.waiting {
				waiting++
			}
			kept = append(kept, d.list[i])
		}
	}
	clear(d.list[len(kept):])
	d.list, d.waiting = kept, waiting
}
