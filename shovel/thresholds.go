package shovel

import (
	"fmt"
	"strings"
	"time"

	"weir/broker"
)

// Thresholds say when overflow opens and shuts. Each has a start and a stop apart from it (hysteresis), so that a depth
// that hovers does not flap the gate. Those left nil do not count.
type Thresholds struct {
	// Ready opens at Start or more ready messages, shuts at Stop or fewer.
	Ready *CountThreshold
	// Oldest opens when the oldest message is certainly Start old, shuts when it is certainly no older than Stop.
	Oldest *AgeThreshold
	// ConsumersBelow opens with fewer consumers than Start, shuts with Stop or more.
	ConsumersBelow *CountThreshold
	// All: every start must be reached to open, and one stop shuts. Otherwise one start opens, and every stop must be
	// reached to shut.
	All bool
	// For is how long the start must have held before it opens.
	For time.Duration
}

// CountThreshold is in messages, or consumers.
type CountThreshold struct{ Start, Stop int64 }

// AgeThreshold is in age of the oldest message.
type AgeThreshold struct{ Start, Stop time.Duration }

// mark is what one threshold says of a reading.
type mark struct {
	text        string // the figure and the threshold it is held against
	known       bool
	start, stop bool
	near        bool // within a fifth of where it would change
}

// marks holds a reading against each threshold. A figure that is unknown reaches neither start nor stop: the last
// decision stands.
func (t Thresholds) marks(d broker.Depth, open bool) []mark {
	var all []mark
	if r := t.Ready; r != nil {
		m := mark{text: limit("ready", d.Ready, "at", r.Start, r.Stop, open)}
		if n := d.Ready.N; d.Ready.Known {
			m.known = true
			m.start, m.stop = n >= r.Start, n <= r.Stop
			m.near = open && 4*n <= 5*r.Stop || !open && 5*n >= 4*r.Start
		}
		all = append(all, m)
	}
	if o := t.Oldest; o != nil {
		m := mark{text: limit("oldest message", d.OldestAtLeast, "at", o.Start, o.Stop, open)}
		empty := d.Ready.Known && d.Ready.N == 0
		m.known = empty || d.OldestAtLeast.Known || d.OldestAtMost.Known
		m.start = d.OldestAtLeast.Known && d.OldestAtLeast.D >= o.Start
		m.stop = empty || d.OldestAtMost.Known && d.OldestAtMost.D <= o.Stop
		m.near = d.OldestAtLeast.Known && 5*d.OldestAtLeast.D >= 4*o.Start
		all = append(all, m)
	}
	if c := t.ConsumersBelow; c != nil {
		m := mark{text: limit("consumers", d.Consumers, "below", c.Start, c.Stop, open)}
		if n := d.Consumers.N; d.Consumers.Known {
			m.known = true
			m.start, m.stop = n < c.Start, n >= c.Stop
		}
		all = append(all, m)
	}
	return all
}

func limit[F fmt.Stringer, T any](what string, figure F, word string, start, stop T, open bool) string {
	if open {
		return fmt.Sprintf("%s %v, shuts at %v", what, figure, stop)
	}
	return fmt.Sprintf("%s %v, opens %s %v", what, figure, word, start)
}

// verdict is what the thresholds make of one reading.
type verdict struct {
	open  bool // whether the gate should be, For aside
	why   string
	near  bool // a change is near: read again soon
	known bool // something was known; otherwise the last decision stands
}

// judge holds a reading against the thresholds of a gate that is open or shut.
func (t Thresholds) judge(d broker.Depth, open bool) verdict {
	var v verdict
	marks := t.marks(d, open)
	texts := make([]string, 0, len(marks))
	starts, stops := 0, 0
	for _, m := range marks {
		v.near = v.near || m.near
		v.known = v.known || m.known
		texts = append(texts, m.text)
		if m.start {
			starts++
		}
		if m.stop {
			stops++
		}
	}
	some, every := func(n int) bool { return n > 0 }, func(n int) bool { return n == len(marks) }
	opens, shuts := some, every
	if t.All {
		opens, shuts = every, some
	}
	v.open = open && !shuts(stops) || !open && opens(starts)
	v.why = strings.Join(texts, "; ")
	return v
}

// String lists the thresholds as declared.
func (t Thresholds) String() string {
	var parts []string
	if t.Ready != nil {
		parts = append(parts, fmt.Sprintf("messages-ready %d..%d", t.Ready.Start, t.Ready.Stop))
	}
	if t.Oldest != nil {
		parts = append(parts, fmt.Sprintf("oldest-message %v..%v", t.Oldest.Start, t.Oldest.Stop))
	}
	if t.ConsumersBelow != nil {
		parts = append(parts, fmt.Sprintf("consumers-below %d..%d", t.ConsumersBelow.Start, t.ConsumersBelow.Stop))
	}
	word := " or "
	if t.All {
		word = " and "
	}
	s := strings.Join(parts, word)
	if t.For > 0 {
		s += fmt.Sprintf(" for %v", t.For)
	}
	return s
}
