package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a problem keeps a configuration from being used.
type Severity string

const (
	// Mistake keeps the configuration from being used.
	Mistake Severity = "error"
	// Warning is about something that works and may still not be what was meant.
	Warning Severity = "warning"
)

// Problem is one finding in a configuration.
type Problem struct {
	// File is the name the file was loaded by. For a process setting from elsewhere it is the environment variable
	// (WEIR_ADMIN_LISTEN) or the flag (--admin-listen), and Line and Column are 0.
	File string `json:"file"`
	// Line and Column count from 1.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Path names the place: shovels.orders-overflow.destinations[0].broker. It is empty for the file as a whole.
	Path string `json:"path,omitempty"`
	// Message says what is wrong and, where it can, what to write instead. It never holds a secret.
	Message  string   `json:"message"`
	Severity Severity `json:"severity"`
}

// String shows the problem on one line: weir.yaml:11:21: shovels.a.source.broker: no broker "su"; did you mean "us"?
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Severity == Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems are all findings of one run in the order of the file. As an error they hold at least one mistake.
type Problems []Problem

// Error shows one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// failed reports whether at least one of them is a mistake.
func (ps Problems) failed() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == Mistake })
}

// Sorted puts the problems in the order of the file; those of flags and variables, which have no line, come last.
func (ps Problems) Sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			-cmp.Compare(min(a.Line, 1), min(b.Line, 1)),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(ps)
}
