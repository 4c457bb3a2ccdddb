package shovel_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/link"
)

// plan is what the shovel of one region is declared with.
type plan struct {
	to            []string // in order of preference
	room          []bool   // by destination
	start, stop   int64
	oldest        time.Duration // start; its stop is a quarter of it. 0: no such threshold
	consumers     bool          // opens when there are none
	all           bool
	hold          time.Duration
	rate, maxHops int
	single        bool
}

func (p plan) yaml(region string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  overflow:\n    source: {broker: %s, queue: work}\n    destinations:\n", region)
	for i, to := range p.to {
		room := ""
		if p.room[i] {
			room = ", room: {messages-ready: {stop: 200, resume: 100}, for: 2s}"
		}
		fmt.Fprintf(&b, "      - {broker: %s, queue: work%s}\n", to, room)
	}
	match := "any"
	if p.all {
		match = "all"
	}
	fmt.Fprintf(&b, "    overflow: {messages-ready: {start: %d, stop: %d}, for: %v, match: %s", p.start, p.stop, p.hold, match)
	if p.oldest > 0 {
		fmt.Fprintf(&b, ", oldest-message: {start: %v, stop: %v}", p.oldest, p.oldest/4)
	}
	if p.consumers {
		fmt.Fprint(&b, ", consumers-below: {start: 1, stop: 1}")
	}
	fmt.Fprintf(&b, "}\n    max-hops: %d\n    single-owner: %v\n", p.maxHops, p.single)
	fmt.Fprint(&b, "    reconnect-delay: {min: 100ms, max: 2s}\n    confirm-timeout: 3s\n")
	fmt.Fprint(&b, "    on-refused: {attempts: 4}\n    on-unroutable: {attempts: 4}\n")
	if p.rate > 0 {
		fmt.Fprintf(&b, "    rate-limit: %d/s\n", p.rate)
	}
	return b.String()
}

// judge tells whether a depth, all of which is known, has reached the starts and the stops.
func (p plan) judge(r reading) (starts, stops bool) {
	start := []bool{r.depth.Ready.N >= p.start}
	stop := []bool{r.depth.Ready.N <= p.stop}
	if p.oldest > 0 {
		start = append(start, r.depth.OldestAtLeast.D >= p.oldest)
		stop = append(stop, r.depth.OldestAtMost.D <= p.oldest/4)
	}
	if p.consumers {
		start = append(start, r.depth.Consumers.N < 1)
		stop = append(stop, r.depth.Consumers.N >= 1)
	}
	if p.all {
		return !slices.Contains(start, false), slices.Contains(stop, true)
	}
	return slices.Contains(start, true), !slices.Contains(stop, false)
}

// model is what the gate of one shovel should do, by what it was told and what it has read.
type model struct {
	plan
	*side     // of the source
	mode      link.Mode
	hands     []time.Time // when the mode was set
	broken    []time.Time // when it ceased to watch for a while: nothing has held since before
	disturbed time.Time   // when it last may have: it may be late
	switches  int64       // that have been judged
	starting  time.Time   // since when it has been starting; zero: it is not
}

func (m *model) override(l *link.Link, mode link.Mode) {
	m.mode = mode
	m.hands = append(m.hands, time.Now())
	m.disturb()
	l.Override(mode)
}

func (m *model) interrupted() {
	m.broken = append(m.broken, time.Now())
	m.drains()
}

// drains notes that it may first have to drain, or wait for one that does.
func (m *model) drains() { m.disturbed = time.Now().Add(drainTimeout) }

func (m *model) disturb() {
	if now := time.Now(); m.disturbed.Before(now) {
		m.disturbed = now
	}
}

// judgeDecisions returns what is wrong with the decisions since the last call.
func (m *model) judgeDecisions(s *link.OverflowStatus) (wrong []string) {
	news := min(int(s.Switches-m.switches), len(s.Decisions))
	for _, d := range slices.Backward(s.Decisions[:news]) {
		m.switches++
		if d.Open != (m.switches%2 == 1) {
			wrong = append(wrong, fmt.Sprintf("decision %d is open=%v", m.switches, d.Open))
		}
		if why := m.against(d); why != "" {
			wrong = append(wrong, fmt.Sprintf("decision %+v: %s", d, why))
		}
	}
	return wrong
}

// against says what speaks against a decision.
func (m *model) against(d link.Decision) string {
	byHand := strings.Contains(d.Why, "by hand")
	if len(m.hands) > 0 && d.At.After(m.hands[len(m.hands)-1]) && byHand != (m.mode != link.Auto) {
		return "the mode is " + string(m.mode)
	}
	if byHand {
		return ""
	}
	all := m.readings()
	for len(all) > 0 && !all[len(all)-1].isOf(d) {
		all = all[:len(all)-1]
	}
	if len(all) == 0 {
		return "nothing was read"
	}
	last := all[len(all)-1]
	starts, stops := m.judge(last)
	switch {
	case !d.Open && !stops:
		return fmt.Sprintf("the stop is not reached: %+v", last.depth)
	case !d.Open:
		return ""
	case !starts:
		return fmt.Sprintf("the start is not reached: %+v", last.depth)
	}
	since := last.at
	for _, r := range slices.Backward(all) {
		if r.known {
			if starts, _ := m.judge(r); !starts {
				break
			}
			since = r.at
		}
	}
	for _, at := range m.broken {
		if at.Before(last.at) && at.After(since) {
			since = at
		}
	}
	if held := last.at.Sub(since); held < m.hold {
		return fmt.Sprintf("the start has held for %v, not %v", held, m.hold)
	}
	return ""
}

// isOf tells whether a decision may have come of a reading.
func (r reading) isOf(d link.Decision) bool {
	return r.known && !r.at.After(d.At) && d.Depth.Ready != nil && *d.Depth.Ready == r.depth.Ready.N
}

// patience is how late a gate may be: a source, then destinations that do not answer, twice if a hand comes in between.
const patience = 13 * time.Second

// judgeStatus returns what is wrong with what a link says of itself now.
func (m *model) judgeStatus(s link.Status) string {
	now := time.Now()
	if s.State != link.Starting {
		m.starting = time.Time{}
	} else if m.starting.IsZero() {
		m.starting = now
	}
	open := s.Overflow.Open
	active := []link.State{link.Running, link.Idle, link.Holding, link.Blocked, link.Stuck}
	works := slices.Contains(active, s.State)
	switch {
	case s.Overflow.Mode != m.mode:
		return "the mode is not " + string(m.mode)
	case slices.Contains([]link.State{link.Shut, link.Standby, link.Paused, link.Holding, link.Blocked, link.Stuck}, s.State) && s.Reason == "":
		return "no reason"
	case s.State == link.Starting && now.Sub(m.starting) > time.Minute:
		return "starting for more than a minute"
	case s.State == link.Shut && open && !strings.Contains(s.Reason, "no destination has room"):
		return "shut, though overflow is open"
	case s.State == link.Shut && strings.Contains(s.Reason, "no destination has room: ") && !strings.Contains(s.Reason, "no room: ") &&
		!strings.Contains(s.Reason, "room not known"):
		return "no destination has room, and none is full"
	case (s.State == link.Paused || s.State == link.Standby || s.State == link.Stopped) && open:
		return "open, and nobody watches"
	}
	if !slices.Contains(append(active, link.Shut), s.State) {
		m.disturb() // it is not its turn, or just beginning
	}
	if works && !open && now.Sub(s.Overflow.Since) < drainTimeout+patience {
		m.disturb() // it drains
	}
	if now.Sub(m.disturbed) < patience+m.hold {
		return "" // it may take its time
	}
	switch stops, starts := m.reached(now, patience), m.reached(now, patience+m.hold); {
	case m.mode == link.On && !open, m.mode == link.Off && open:
		return "it disobeys the hand"
	case m.mode == link.Auto && open && stops == "stops":
		return "open, though the stop is reached"
	case m.mode == link.Auto && !open && starts == "starts" && !strings.Contains(s.Reason, "nowhere to go and do not count"):
		return "shut, though the start has held"
	case works && !open && now.Sub(s.Overflow.Since) > drainTimeout+patience:
		return "it works, though overflow is shut"
	}
	return ""
}

// reached tells whether all readings of the last while say that the starts, or the stops, are reached. Empty: neither.
func (m *model) reached(now time.Time, d time.Duration) string {
	starts, stops, from := true, true, now
	for _, r := range slices.Backward(m.readings()) {
		if now.Sub(r.at) > d {
			break
		}
		start, stop := m.judge(r)
		starts, stops, from = starts && r.known && start, stops && r.known && stop, r.at
	}
	switch {
	case now.Sub(from) < d-watchTolerance:
		return ""
	case starts:
		return "starts"
	case stops:
		return "stops"
	}
	return ""
}

// drainTimeout is the default.
const drainTimeout = 20 * time.Second

// watchTolerance is how far two readings may be apart.
const watchTolerance = 1100 * time.Millisecond
