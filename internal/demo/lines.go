package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// linesEvery is how often Lines says how things stand.
const linesEvery = 2 * time.Second

// Lines shows a demo as lines of text: each event when it happens, and every two seconds how things stand.
func Lines(w io.Writer) func(Moment) {
	var told int
	var last time.Duration
	return func(m Moment) {
		for _, e := range m.Events[told:] {
			_, _ = fmt.Fprintln(w, eventLine(e))
		}
		told = len(m.Events)
		if m.Elapsed-last >= linesEvery {
			last = m.Elapsed
			_, _ = fmt.Fprintf(w, "%s    %s\n", clock(m.Elapsed), standing(m))
		}
	}
}

func eventLine(e Event) string {
	mark := "  "
	if e.ByWeir {
		mark = ">>"
	}
	return fmt.Sprintf("%s %s %s", clock(e.At), mark, e.Text)
}

func clock(at time.Duration) string { return fmt.Sprintf("%5.1fs", at.Seconds()) }

// standing is the state of things in a line.
func standing(m Moment) string {
	var s strings.Builder
	for _, r := range m.Regions {
		fmt.Fprintf(&s, "%s %6s ready %6s consumed | ", r.Name, number(r.Ready), comma(r.Consumed))
	}
	word := "shut"
	if m.Overflow.Overflow.Open {
		word = "open"
	}
	fmt.Fprintf(&s, "overflow %s, %s moved | %s federated", word, humanize.Comma(m.Overflow.Counts.Confirmed), comma(m.Federated))
	return s.String()
}
