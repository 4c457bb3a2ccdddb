package admin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/internal/gateway"
	"weir/link"
)

// Level is what a state asks of an operator.
type Level string

// The levels, from the best to the worst.
const (
	Well      Level = "well"      // it moves messages, or could at once
	Waiting   Level = "waiting"   // it does what it should, and that is nothing at the moment
	Attention Level = "attention" // it does not move messages: nothing is lost, and somebody should know
	Down      Level = "down"      // something is broken, and somebody should act
)

var levels = []Level{Well, Waiting, Attention, Down}

// meanings say what each state means and what to do about it, as docs/operations.md does at length.
var meanings = map[link.State]struct {
	level Level
	text  string
}{
	link.Running:  {Well, "Messages move."},
	link.Idle:     {Well, "Open at both ends; there is nothing to move."},
	link.Starting: {Waiting, "It opens its ends."},
	link.Shut:     {Waiting, "Its gate is shut: it is not needed at the moment."},
	link.Standby:  {Waiting, "Another gateway does this work; this one takes over when that one leaves."},
	link.Finished: {Waiting, "It has moved as many messages as delete-after said."},
	link.Stopped:  {Waiting, "The gateway is stopping."},
	link.Paused:   {Attention, "It waits until somebody resumes it. If it has paused itself, see to the reason first."},
	link.Holding:  {Attention, "Messages are kept until their destination takes them again. See to the destination."},
	link.Blocked:  {Attention, "The destination's broker asked for a rest, mostly for want of memory or disk. See to that broker."},
	link.Retrying: {Down, "It tries again by itself. If the error stays, see to the broker or the network."},
	link.Stuck:    {Down, "Messages wait at its source and none come. See to the source: the reason says what was seen."},
	link.Denied:   {Down, "Credentials or permissions. It goes on trying, and cannot succeed before somebody mends them."},
}

// LevelOf is what a state asks of an operator. A state that is not known asks for much.
func LevelOf(s link.State) Level {
	if m, known := meanings[s]; known {
		return m.level
	}
	return Down
}

// Up tells whether a link in that state does what it should; waiting for its turn is part of that.
func Up(s link.State) bool { return LevelOf(s) == Well || LevelOf(s) == Waiting }

// Verdict is the whole gateway at a glance.
type Verdict struct {
	Level Level `json:"level"`
	// Text is a sentence: "All is well: 3 links", "1 of 3 links is down: orders".
	Text string `json:"text"`
}

// namesTold bounds the links that a Verdict names.
const namesTold = 3

// VerdictOf is that of the worst link.
func VerdictOf(s gateway.Status) Verdict {
	by := map[Level][]string{}
	for _, l := range s.Links {
		level := LevelOf(l.State)
		by[level] = append(by[level], l.Name)
	}
	all := counted(len(s.Links), "link", "links")
	for _, level := range slices.Backward(levels) {
		names := by[level]
		switch {
		case len(names) == 0:
		case level == Down:
			return Verdict{level, fmt.Sprintf("%d of %s %s: %s", len(names), all, isOrAre(len(names), "down"), some(names))}
		case level == Attention:
			need := "need attention"
			if len(names) == 1 {
				need = "needs attention"
			}
			return Verdict{level, fmt.Sprintf("%d of %s %s: %s", len(names), all, need, some(names))}
		}
	}
	switch {
	case len(s.Problems) > 0:
		return Verdict{Attention, fmt.Sprintf("Federation has %s", counted(len(s.Problems), "problem", "problems"))}
	case s.Config.Rejected != nil:
		return Verdict{Attention, "The last configuration was refused; the one before is in force"}
	case len(s.Links) == 0:
		return Verdict{Waiting, "No links are configured"}
	}
	return Verdict{Well, fmt.Sprintf("All is well: %s (%s)", all, states(s.Links))}
}

// states counts them: "2 idle, 1 shut".
func states(links []link.Status) string {
	n := map[link.State]int{}
	for _, l := range links {
		n[l.State]++
	}
	var words []string
	for _, s := range slices.Sorted(maps.Keys(n)) {
		words = append(words, fmt.Sprintf("%d %s", n[s], s))
	}
	return strings.Join(words, ", ")
}

func isOrAre(n int, what string) string {
	if n == 1 {
		return "is " + what
	}
	return "are " + what
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// some names the first few.
func some(names []string) string {
	if more := len(names) - namesTold; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:namesTold], ", "), more)
	}
	return strings.Join(names, ", ")
}
