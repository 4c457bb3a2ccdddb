package federation

import (
	"fmt"
	"time"

	"weir/broker"
)

// A batch should be consumed as soon as it has come. prompt is how long that may take before the next one is made smaller;
// within a quarter of it, or before the first reading after it has come, the next one is larger. So a batch is about as much as
// consumers take in that time.
const prompt = 250 * time.Millisecond

// How long a gate stays open without demand, so that it does not flap with slow consumers: nothing comes meanwhile beyond
// the batch under way. A depth that is not known says little, and is given longer.
const (
	patience      = time.Second
	blindPatience = 10 * time.Second
)

// demand decides, from one reading of a downstream queue after the other, whether messages are wanted there, and how many
// at a time. They are while the queue has consumers and nothing ready. A batch is what may be on its way or lie in the
// queue before a reading finds it consumed: so never more than one is stranded where consumers are slow, or have gone.
type demand struct {
	most int // the largest batch, at least 1

	open  bool
	batch int    // the size of the next one; while shut only for consumers that are busy that of the last one, else 0
	why   string // what the last reading said, for operators

	lacking time.Time // since when readings have found no demand; zero: the last one did
	blind   time.Time // since when the depth has not been known; zero: it is
	halved  time.Time // when the batch, used up and not consumed, was first seen so or last made smaller; zero: it is not so
}

// look is one reading, and what goes with it.
type look struct {
	at    time.Time // when it was begun
	depth broker.Depth
	// busy is until when the consumers are known to have no time for messages from elsewhere.
	busy time.Time
	progress
}

// progress is how far a batch has come when a reading is begun.
type progress struct {
	batch int           // its size
	full  bool          // all of it has come from the upstream: no more comes before the next one is granted
	spent bool          // all of it has arrived downstream, too
	age   time.Duration // of the oldest message that is not known to have been consumed
}

// judge takes a reading into account, and tells whether the next batch may come: all that had been forwarded when the
// reading was begun has been consumed, and more is wanted.
func (d *demand) judge(l look) (granted bool) {
	ready, consumers := l.depth.Ready, l.depth.Consumers
	if !ready.Known || !consumers.Known && ready.N == 0 {
		d.unknown(l.at)
		return false
	}
	d.blind = time.Time{}
	d.why = describe(l)
	least := min(max(int(consumers.N), 1), d.most)
	consumed := ready.N == 0 && consumers.N > 0
	if quick := l.age <= prompt/4 || l.spent && d.halved.IsZero(); consumed && d.open && l.full && quick {
		d.batch = min(2*l.batch, d.most)
	}
	if !consumed || l.at.Before(l.busy) {
		d.unwanted(l, consumed, least)
		return false
	}
	if !d.open {
		d.open, d.batch = true, 2*d.batch // of what busy consumers have taken all the same
	}
	d.batch = min(max(d.batch, least), d.most)
	d.lacking, d.halved = time.Time{}, time.Time{}
	return true
}

// unwanted notes a reading that found no demand: patience runs out, and a batch that is not consumed was too large.
func (d *demand) unwanted(l look, consumed bool, least int) {
	if !d.open {
		if !consumed {
			d.batch = 0
		}
		return
	}
	if d.lacking.IsZero() {
		d.lacking = l.at
	}
	switch {
	case consumed || !l.spent:
	case d.halved.IsZero():
		d.halved = l.at
	case l.at.Sub(d.halved) >= prompt:
		d.batch, d.halved = max(d.batch/2, least), l.at
	}
	if l.at.Sub(d.lacking) >= patience {
		batch := d.batch
		d.shut()
		if consumed {
			d.batch = batch
		}
	}
}

// unknown notes a reading that says nothing: the last decision stands, for a while. Drivers give such readings of a busy
// quorum queue, and while a consumer has just come of which the broker's statistics, seconds late, do not tell yet whether
// it is another gateway's.
func (d *demand) unknown(at time.Time) {
	if d.blind.IsZero() {
		d.blind = at
	}
	if !d.open {
		d.why = "depth downstream is not known"
	} else if at.Sub(d.blind) >= blindPatience {
		d.why = fmt.Sprintf("depth downstream has not been known for %v", blindPatience)
		d.shut()
	}
}

// shut forgets everything but why.
func (d *demand) shut() { *d = demand{most: d.most, why: d.why} }

func describe(l look) string {
	ready, consumers := l.depth.Ready.N, l.depth.Consumers.N
	switch {
	case !l.depth.Consumers.Known:
		return fmt.Sprintf("%d ready downstream", ready)
	case consumers == 0 && ready == 0:
		return "no consumers downstream"
	case consumers == 0:
		return fmt.Sprintf("%d ready downstream, no consumers", ready)
	case ready > 0:
		return fmt.Sprintf("%d ready downstream, %d consumers", ready, consumers)
	case l.at.Before(l.busy):
		return fmt.Sprintf("%d consumers downstream, but messages have left there for lack of free ones", consumers)
	}
	return fmt.Sprintf("%d consumers downstream", consumers)
}
