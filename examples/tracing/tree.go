package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"weir/tests/lab"
)

// printTree prints the spans of one trace, each below its parent, with the time since the first began.
func printTree(w io.Writer, spans []lab.Span) {
	children := map[string][]lab.Span{}
	for _, s := range spans {
		children[s.Parent] = append(children[s.Parent], s)
	}
	var below func(parent, indent string)
	below = func(parent, indent string) {
		for i, s := range children[parent] {
			branch, next := "", ""
			if parent != "" {
				branch, next = "├─ ", "│  "
				if i == len(children[parent])-1 {
					branch, next = "└─ ", "   "
				}
			}
			what := indent + branch + s.Service + ": " + s.Name
			fmt.Fprintf(w, "%8s  %-64s %8s%s\n", "+"+short(s.Start.Sub(spans[0].Start)), what, short(s.Duration), about(s))
			below(s.ID, indent+next)
		}
	}
	below("", "")
}

// about tells what weir has noted on a span.
func about(s lab.Span) string {
	var parts []string
	say := func(format, key string) {
		if v, ok := s.Attributes[key]; ok {
			parts = append(parts, fmt.Sprintf(format, v))
		}
	}
	say("from %v", "weir.source.broker")
	if ms, ok := s.Attributes["weir.source.wait_ms"].(float64); ok {
		from, _ := s.Attributes["weir.source.wait_from"].(string)
		parts = append(parts, fmt.Sprintf("waited %s (%s)", short(time.Duration(ms)*time.Millisecond), cmp.Or(from, "?")))
	}
	say("overflow: %v", "weir.overflow.why")
	say("to %v", "weir.destination.broker")
	if len(parts) == 0 {
		return ""
	}
	return "  " + strings.Join(parts, ", ")
}

// short rounds to what matters.
func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
