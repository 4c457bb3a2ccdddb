package cli

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"weir/internal/admin"
	"weir/link"
)

// isTerminal tells whether somebody reads w as it is written.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colours tells whether to use them; go-pretty itself leaves them out where NO_COLOR says so.
func (a *app) colours() bool { return isTerminal(a.stdout) }

// linkTable has a row a link.
func linkTable(links []link.Status, wide, colours bool, now time.Time) string {
	t := plainTable()
	header := table.Row{"link", "kind", "state", "from", "to", "in-flight", "confirmed", "since", "reason"}
	if wide {
		header = append(header[:len(header)-1], "held", "window", "received", "retries", "reconnects", "overflow", "route", "reason")
	}
	t.AppendHeader(header)
	for _, l := range links {
		row := table.Row{
			printable(l.Name), l.Kind, painted(l.State, colours), printable(l.Source), printable(l.Destination),
			comma(l.InFlight), comma(l.Counts.Confirmed), since(l.Since, now),
		}
		if wide {
			row = append(row, comma(l.Held), comma(l.Window), comma(l.Counts.Received), comma(l.Counts.Retries),
				comma(l.Counts.Reconnects), overflowWord(l.Overflow), printable(l.Route))
		}
		t.AppendRow(append(row, why(l, now)))
	}
	numbers(t, "in-flight", "confirmed", "since", "held", "window", "received", "retries", "reconnects")
	return t.Render()
}

// numbers aligns columns to the right.
func numbers(t table.Writer, names ...string) {
	columns := make([]table.ColumnConfig, len(names))
	for i, name := range names {
		columns[i] = table.ColumnConfig{Name: name, Align: text.AlignRight, AlignHeader: text.AlignRight}
	}
	t.SetColumnConfigs(columns)
}

// plainTable has no lines in it, so that it can be cut and searched.
func plainTable() table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	return t
}

// why is the reason of a state, or the error behind it and what happens next.
func why(l link.Status, now time.Time) string {
	reason := l.Reason
	if reason == "" {
		reason = l.Warning
	}
	if next := l.NextTry.Sub(now); next > 0 && (l.State == link.Retrying || l.State == link.Denied || l.State == link.Holding) {
		reason += fmt.Sprintf("; next try in %s", next.Round(time.Second))
	}
	return printable(reason)
}

func overflowWord(o *link.OverflowStatus) string {
	if o == nil {
		return "-"
	}
	word := "shut"
	if o.Open {
		word = "open"
	}
	if o.Mode != link.Auto {
		word += " (by hand)"
	}
	return word
}

// linkDetails is everything about one link.
func linkDetails(l link.Status, colours bool, now time.Time) string {
	t := plainTable()
	add := func(key, value string) {
		if value != "" {
			t.AppendRow(table.Row{key, value})
		}
	}
	add("link", printable(l.Name))
	add("kind", string(l.Kind))
	add("state", painted(l.State, colours)+" for "+since(l.Since, now))
	add("reason", printable(l.Reason))
	add("warning", printable(l.Warning))
	add("from", printable(l.Source))
	add("to", printable(l.Destination))
	add("route", printable(l.Route))
	add("ack-mode", string(l.AckMode))
	if l.LastError != "" {
		add("last error", since(l.ErrorAt, now)+" ago: "+printable(l.LastError))
	}
	if next := l.NextTry.Sub(now); next > 0 {
		add("next try", fmt.Sprintf("in %s, attempt %d", next.Round(time.Second), l.Attempt+1))
	}
	add("in flight", fmt.Sprintf("%s of a window of %s, %s held", comma(l.InFlight), comma(l.Window), comma(l.Held)))
	c := l.Counts
	add("received", comma(c.Received))
	add("confirmed", comma(c.Confirmed)+" ("+humanize.IBytes(uint64(max(0, c.BytesConfirmed)))+")")
	for _, n := range []struct {
		key string
		n   int64
	}{
		{"refused", c.Refused}, {"unroutable", c.Unroutable}, {"dropped", c.Dropped}, {"dead-lettered", c.DeadLettered},
		{"rejected", c.Rejected}, {"retries", c.Retries}, {"reconnects", c.Reconnects},
	} {
		if n.n > 0 {
			add(n.key, comma(n.n))
		}
	}
	if h := l.Heartbeat; h != nil {
		add("heartbeat", heartbeat(*h, now))
	}
	if o := l.Overflow; o != nil {
		add("overflow", fmt.Sprintf("%s for %s, mode %s, %s", overflowWord(o), since(o.Since, now), o.Mode, printable(o.Thresholds)))
		add("switches", comma(o.Switches))
		for _, d := range o.Decisions {
			add("decision", decision(d))
		}
	}
	return t.Render()
}

func heartbeat(h link.HeartbeatStatus, now time.Time) string {
	s := fmt.Sprintf("every %v", time.Duration(h.Every*float64(time.Second)))
	if h.Seconds != nil {
		s += fmt.Sprintf(", the last took %v", time.Duration(*h.Seconds*float64(time.Second)).Round(time.Millisecond/10))
	}
	if !h.LastAt.IsZero() {
		s += ", back " + since(h.LastAt, now) + " ago"
	}
	if h.Missed > 0 {
		s += ", " + comma(h.Missed) + " missed"
	}
	if h.Problem != "" {
		s += "; " + printable(h.Problem)
	}
	return s
}

func decision(d link.Decision) string {
	word := "shut"
	if d.Open {
		word = "opened"
	}
	s := fmt.Sprintf("%s %s: %s", d.At.Local().Format(time.DateTime), word, printable(d.Why))
	if d.Destination != "" {
		s += ", to " + printable(d.Destination)
	}
	if len(d.PassedOver) > 0 {
		s += "; passed over: " + printable(strings.Join(d.PassedOver, "; "))
	}
	return s
}

func comma[N int | int64](n N) string { return humanize.Comma(int64(n)) }

// painted colours a state by what it asks of an operator.
func painted(s link.State, colours bool) string {
	word := string(s)
	if !colours {
		return word
	}
	switch admin.LevelOf(s) {
	case admin.Well:
		return text.FgGreen.Sprint(word)
	case admin.Waiting:
		return word
	case admin.Attention:
		return text.FgYellow.Sprint(word)
	}
	return text.FgRed.Sprint(word)
}
