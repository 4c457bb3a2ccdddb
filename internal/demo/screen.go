package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"weir/broker"
)

// barWidth is that of a queue's picture, in characters; barOrders is how many orders it holds.
const (
	barWidth    = 24
	barOrders   = 3000
	eventsShown = 8
)

// Screen shows a demo on a terminal, in one place that it draws anew. width is the terminal's at the moment, in
// characters.
func Screen(w io.Writer, width func() int) func(Moment) {
	var drawn int // lines
	return func(m Moment) {
		picture := draw(m)
		var out strings.Builder
		if drawn > 0 {
			fmt.Fprintf(&out, "\x1b[%dA", drawn)
		}
		for _, line := range picture {
			out.WriteString(text.Trim(line, width()) + "\x1b[0m\x1b[K\n") // a line that wraps would be counted wrong
		}
		if len(picture) < drawn {
			out.WriteString("\x1b[J")
		}
		drawn = len(picture)
		_, _ = io.WriteString(w, out.String())
	}
}

// draw is the picture of a moment, in lines.
func draw(m Moment) []string {
	lines := []string{
		"",
		"  weir demo: " + elapsed(m),
		"  Orders overrun eu: weir moves what is too much to us, to ap while us is full.",
		"  us and ap tell what they have shipped: weir lets eu hear of it.",
		"",
	}
	lines = append(lines, strings.Split(regionTable(m), "\n")...)
	lines = append(lines, "", "  "+overflowLine(m), "  federation: eu has heard of "+comma(m.Federated)+" orders shipped in us and ap", "")
	for _, e := range m.Events[max(0, len(m.Events)-eventsShown):] {
		line := "  " + eventLine(e)
		if e.ByWeir {
			line = text.Bold.Sprint(line)
		}
		lines = append(lines, line)
	}
	return append(lines, "")
}

func elapsed(m Moment) string {
	if m.For == 0 {
		return m.Elapsed.Truncate(time.Second).String() + "; Ctrl-C ends it, with a report"
	}
	return fmt.Sprintf("%v of %v", min(m.Elapsed, m.For).Truncate(time.Second), m.For)
}

// regionTable has a row a region.
func regionTable(m Moment) string {
	t := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(table.Row{"region", "produced", "ready", "queue (┊ thresholds)", "consumed", "a second"})
	for i, r := range m.Regions {
		produced := ""
		if i == 0 {
			produced = comma(m.Produced)
		}
		t.AppendRow(table.Row{r.Name, produced, number(r.Ready), bar(r), comma(r.Consumed), fmt.Sprintf("%.0f", r.PerSecond)})
	}
	var columns []table.ColumnConfig
	for _, name := range []string{"produced", "ready", "consumed", "a second"} {
		columns = append(columns, table.ColumnConfig{Name: name, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	return indent(t.Render())
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

// bar is a picture of a queue: how much is ready, and where its thresholds are.
func bar(r Region) string {
	at := func(n int64) int { return int(min(n, barOrders)) * barWidth / barOrders }
	colour := text.FgGreen
	if r.High > 0 && r.Ready.N >= r.High {
		colour = text.FgYellow
	}
	var b strings.Builder
	for i := range barWidth {
		switch {
		case r.High > 0 && (i == at(r.Low) || i == at(r.High)):
			b.WriteString("┊")
		case i < at(r.Ready.N):
			b.WriteString(colour.Sprint("█"))
		default:
			b.WriteString(" ")
		}
	}
	return b.String()
}

// overflowLine says what the shovel does.
func overflowLine(m Moment) string {
	o := m.Overflow.Overflow
	moved := fmt.Sprintf("; moved %s, %d in flight", humanize.Comma(m.Overflow.Counts.Confirmed), m.Overflow.InFlight)
	if !o.Open {
		why := ""
		if m.Overflow.Reason != "" {
			why = ": " + m.Overflow.Reason
		}
		return "overflow shut" + why + moved
	}
	to, _, _ := strings.Cut(m.Overflow.Route, " ")
	return text.FgYellow.Sprint("overflow open") + ": to " + to + moved
}

func number(c broker.Count) string {
	if !c.Known {
		return "?"
	}
	return humanize.Comma(c.N)
}
