package shovel

import (
	"fmt"
	"math"
	"strings"
	"time"

	"weir/broker"
)

// thresholds say when overflow opens and shuts. Each has a start and a stop apart from it (hysteresis), so that a depth
// that hovers does not flap the gate. Those left nil do not count.
type thresholds struct {
	// ready opens at start or more ready messages, shuts at stop or fewer.
	ready *countThreshold
	// oldest opens when the oldest message is certainly start old, shuts when it is certainly no older than stop.
	oldest *ageThreshold
	// consumersBelow opens with fewer consumers than start, shuts with stop or more.
	consumersBelow *countThreshold
	// all: every start must be reached to open, and one stop shuts. Otherwise one start opens, and every stop must be
	// reached to shut.
	all bool
	// hold is how long the start must have held before it opens ("for").
	hold time.Duration
}

// countThreshold is in messages, or consumers.
type countThreshold struct{ start, stop int64 }

// ageThreshold is in age of the oldest message.
type ageThreshold struct{ start, stop time.Duration }

// answer is what a reading says about a threshold. A figure that is unknown says nothing.
type answer int

const (
	unknown answer = iota
	no
	yes
)

func known(reached bool) answer {
	if reached {
		return yes
	}
	return no
}

// anyOf is yes if one answer is, and no only if all are.
func anyOf(answers []answer) answer {
	sum := no
	for _, a := range answers {
		switch a {
		case yes:
			return yes
		case unknown:
			sum = unknown
		}
	}
	return sum
}

// allOf is yes if all answers are, and no if one is.
func allOf(answers []answer) answer {
	sum := yes
	for _, a := range answers {
		switch a {
		case no:
			return no
		case unknown:
			sum = unknown
		}
	}
	return sum
}

// judge holds a reading against the thresholds of a gate that is open or shut. reached tells whether those at which it
// would change are reached: the stops of an open gate, the starts of one that is shut.
func (t thresholds) judge(d broker.Depth, open bool) (reached answer, why string) {
	var answers []answer
	var texts []string
	note := func(text string, start, stop answer) {
		texts = append(texts, text)
		if open {
			start = stop
		}
		answers = append(answers, start)
	}
	if r := t.ready; r != nil {
		text := limit("ready", d.Ready, "at", r.start, r.stop, open)
		if n := d.Ready; n.Known {
			note(text, known(n.N >= r.start), known(n.N <= r.stop))
		} else {
			note(text, unknown, unknown)
		}
	}
	if o := t.oldest; o != nil {
		if d.Ready.Known && d.Ready.N == 0 { // nothing there is old
			d.OldestAtLeast, d.OldestAtMost = broker.Aged(0), broker.Aged(0)
		}
		start, stop := o.judge(d.OldestAtLeast, d.OldestAtMost)
		age := d.OldestAtLeast
		if open {
			age = d.OldestAtMost
		}
		note(limit("oldest message", age, "at", o.start, o.stop, open), start, stop)
	}
	if c := t.consumersBelow; c != nil {
		text := limit("consumers", d.Consumers, "below", c.start, c.stop, open)
		if n := d.Consumers; n.Known {
			note(text, known(n.N < c.start), known(n.N >= c.stop))
		} else {
			note(text, unknown, unknown)
		}
	}
	if t.all != open {
		return allOf(answers), strings.Join(texts, "; ")
	}
	return anyOf(answers), strings.Join(texts, "; ")
}

// judge says what is certain from the bounds of the age.
func (o ageThreshold) judge(least, most broker.Age) (start, stop answer) {
	switch {
	case least.Known && least.D >= o.start:
		start = yes
	case most.Known && most.D < o.start:
		start = no
	}
	switch {
	case most.Known && most.D <= o.stop:
		stop = yes
	case least.Known && least.D > o.stop:
		stop = no
	}
	return start, stop
}

func limit[F fmt.Stringer, T any](what string, figure F, word string, start, stop T, open bool) string {
	if open {
		return fmt.Sprintf("%s %v, shuts at %v", what, figure, stop)
	}
	return fmt.Sprintf("%s %v, opens %s %v", what, figure, word, start)
}

// budget says how many messages may leave an open gate before the depth has to be read again: half of those that would
// take a figure to its stop, and at least a hundredth of the way.
func (t thresholds) budget(d broker.Depth) int64 {
	n := int64(math.MaxInt64)
	if r := t.ready; r != nil && d.Ready.Known {
		n = min(n, max((d.Ready.N-r.stop)/2, (r.start-r.stop)/100))
	}
	if o := t.oldest; o != nil && d.Ready.Known && d.OldestAtMost.Known && d.OldestAtMost.D > 0 {
		above := 1 - o.stop.Seconds()/d.OldestAtMost.D.Seconds()
		n = min(n, int64(float64(d.Ready.N)*max(above/2, 0.01)))
	}
	return max(n, 1)
}

// String lists the thresholds as declared.
func (t thresholds) String() string {
	var parts []string
	if t.ready != nil {
		parts = append(parts, fmt.Sprintf("messages-ready %d..%d", t.ready.start, t.ready.stop))
	}
	if t.oldest != nil {
		parts = append(parts, fmt.Sprintf("oldest-message %v..%v", t.oldest.start, t.oldest.stop))
	}
	if t.consumersBelow != nil {
		parts = append(parts, fmt.Sprintf("consumers-below %d..%d", t.consumersBelow.start, t.consumersBelow.stop))
	}
	word := " or "
	if t.all {
		word = " and "
	}
	s := strings.Join(parts, word)
	if t.hold > 0 {
		s += fmt.Sprintf(" for %v", t.hold)
	}
	return s
}
