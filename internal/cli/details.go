package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"

	"weir/link"
)

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
	if l.Depth != nil {
		add("at source", sourceDepth(*l.Depth, now))
	}
	add("in flight", fmt.Sprintf("%s of a window of %s, %s held", comma(l.InFlight), comma(l.Window), comma(l.Held)))
	c := l.Counts
	add("received", comma(c.Received))
	add("confirmed", comma(c.Confirmed)+" ("+humanize.IBytes(uint64(max(0, c.BytesConfirmed)))+")")
	for _, n := range []struct {
		key string
		n   int64
	}{
		{"refused", c.Refused}, {"unroutable", c.Unroutable}, {"filtered", c.Filtered}, {"dropped", c.Dropped}, {"dead-lettered", c.DeadLettered},
		{"rejected", c.Rejected}, {"expired", c.Expired}, {"retries", c.Retries}, {"reconnects", c.Reconnects},
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
	if f := l.Federation; f != nil {
		add("policy", printable(f.Policy))
		add("upstream", printable(f.Upstream))
		add("buffer", printable(f.Buffer))
		if f.Bindings != nil {
			add("bindings", bindings(*f, now))
		}
		if f.Batch != nil {
			add("batch", batch(*f))
		}
	}
	return t.Render()
}

// sourceDepth is what the broker of the source has told last.
func sourceDepth(d link.SourceDepth, now time.Time) string {
	var parts []string
	if d.Ready != nil {
		parts = append(parts, comma(*d.Ready)+" ready")
	}
	if d.Unacked != nil {
		parts = append(parts, comma(*d.Unacked)+" unacked")
	}
	if d.Consumers != nil {
		parts = append(parts, count(int(*d.Consumers), "other consumer"))
	}
	if d.OldestMin != nil && *d.OldestMin > 0 {
		parts = append(parts, "the oldest for "+brief(seconds(*d.OldestMin))+" at least")
	}
	if len(parts) == 0 {
		parts = append(parts, "not known")
	}
	return strings.Join(parts, ", ") + ", " + since(d.At, now) + " ago"
}

// bindings are those that the buffer of an exchange link has of the downstream exchange.
func bindings(f link.FederationStatus, now time.Time) string {
	s := comma(*f.Bindings)
	if !f.EqualAt.IsZero() {
		s += ", equal for " + since(f.EqualAt, now)
	}
	if f.NoticedBy != "" {
		s += ", changes noticed " + printable(f.NoticedBy)
	}
	if f.Problem != "" {
		s += "; " + printable(f.Problem)
	}
	return s
}

// batch is how much a queue link brings at a time.
func batch(f link.FederationStatus) string {
	s := comma(*f.Batch)
	if f.Stranded != nil {
		s += fmt.Sprintf(", %s stranded", comma(*f.Stranded))
	}
	return s
}

func heartbeat(h link.HeartbeatStatus, now time.Time) string {
	s := fmt.Sprintf("every %v", seconds(h.Every))
	if h.Seconds != nil {
		s += fmt.Sprintf(", the last took %v", seconds(*h.Seconds).Round(time.Millisecond/10))
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
