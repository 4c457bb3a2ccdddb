package demo

import (
	"slices"
	"strings"
	"time"

	"weir/link"
)

// Event is one thing that has happened.
type Event struct {
	At time.Duration
	// ByWeir: weir has decided it. Otherwise the world has.
	ByWeir bool
	Text   string
}

// story is what has happened so far.
type story struct {
	began    time.Time
	events   []Event
	switches int64  // of the overflow, told so far
	to       string // the broker that takes the excess
}

// world adds what the world does.
func (s *story) world(text string) { s.add(Event{At: time.Since(s.began), Text: text}) }

// weir adds what weir has decided, in words of its own but for the queue, which is the same in all regions.
func (s *story) weir(at time.Time, text string) {
	s.add(Event{At: at.Sub(s.began), ByWeir: true, Text: strings.ReplaceAll(text, " "+orders.String(), "")})
}

func (s *story) add(e Event) { s.events = append(s.events, e) }

// follow adds what weir has decided since the last look at its link.
func (s *story) follow(l link.Status) {
	o := l.Overflow
	untold := min(o.Switches-s.switches, int64(len(o.Decisions)))
	for _, d := range slices.Backward(o.Decisions[:untold]) {
		s.decided(d)
	}
	s.switches = o.Switches
	to, _, _ := strings.Cut(l.Route, " ")
	if o.Open && untold == 0 && to != "" && to != s.to {
		s.to = to
		s.weir(time.Now(), "now to "+l.Route)
	}
}

func (s *story) decided(d link.Decision) {
	if !d.Open {
		s.weir(d.At, "overflow shuts: "+d.Why)
		return
	}
	s.to, _, _ = strings.Cut(d.Destination, " ")
	text := "overflow opens: " + d.Why + "; to " + d.Destination
	if len(d.PassedOver) > 0 {
		text += " (passed over: " + strings.Join(d.PassedOver, "; ") + ")"
	}
	s.weir(d.At, text)
}
