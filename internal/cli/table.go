package cli

import (
	"fmt"
	"os"
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
		header = append(header[:len(header)-1], "waiting", "held", "window", "received", "retries", "reconnects", "overflow",
			"route", "reason")
	}
	t.AppendHeader(header)
	for _, l := range links {
		row := table.Row{
			printable(l.Name), l.Kind, painted(l.State, colours), printable(l.Source), printable(l.Destination),
			comma(l.InFlight), comma(l.Counts.Confirmed), since(l.Since, now),
		}
		if wide {
			row = append(row, waiting(l), comma(l.Held), comma(l.Window), comma(l.Counts.Received), comma(l.Counts.Retries),
				comma(l.Counts.Reconnects), overflowWord(l.Overflow), printable(l.Route))
		}
		t.AppendRow(append(row, why(l, now)))
	}
	numbers(t, "in-flight", "confirmed", "since", "waiting", "held", "window", "received", "retries", "reconnects")
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

// waiting is ready in words.
func waiting(l link.Status) string {
	if n := ready(l); n >= 0 {
		return comma(n)
	}
	return "?"
}

// ready is how many messages wait at a link's source, -1 where that is not known.
func ready(l link.Status) int64 {
	var reading link.Reading
	switch {
	case l.Overflow != nil:
		reading = l.Overflow.Depth
	case l.Depth != nil:
		reading = l.Depth.Reading
	}
	if reading.Ready == nil {
		return -1
	}
	return *reading.Ready
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
