package configs

import "fmt"

// position is where a value was written: a line and column of the file, or (line 0) a flag or variable.
type position struct {
	source       string
	line, column int
}

// place is a value that was given, and where a message about it points to.
type place struct {
	at      position
	written string // a scalar as in the file, before ${env:NAME} was expanded, so that messages can quote it
	empty   bool   // a scalar with no text
}

// report gathers what every step finds: which values were given and where, and what is wrong with them.
type report struct {
	root     position
	places   map[path]place
	bad      map[path]bool   // values that could not be read; checks leave them alone
	files    map[path]string // files to be read, by the key that names them
	problems Problems
}

func newReport(name string) *report {
	root := position{source: name, line: 1, column: 1}
	return &report{
		root: root, places: map[path]place{"": {at: root}}, bad: map[path]bool{}, files: map[path]string{},
	}
}

// has reports whether the value at p was written, rather than filled in.
func (r *report) has(p path) bool {
	_, ok := r.places[p]
	return ok
}

// written is the scalar at p as it stands in the file.
func (r *report) written(p path) string { return r.places[p].written }

// where is the position of p, or of the nearest block around it where p itself was not written.
func (r *report) where(p path) position {
	for {
		if found, ok := r.places[p]; ok {
			return found.at
		}
		p = p.parent()
	}
}

func (r *report) add(at position, p path, s Severity, message string) {
	r.problems = append(r.problems, Problem{
		File: at.source, Line: at.line, Column: at.column, Path: string(p), Message: message, Severity: s,
	})
}

// unreadable notes a value that is wrong in itself; no check will look at it or at what it holds.
func (r *report) unreadable(at position, p path, format string, args ...any) {
	r.bad[p] = true
	r.add(at, p, Mistake, fmt.Sprintf(format, args...))
}

// mistake notes what a check found at p, unless p, or a block around it, could not even be read: then the finding would
// only be an echo of the first mistake.
func (r *report) mistake(p path, format string, args ...any) {
	r.find(p, Mistake, format, args...)
}

// warn is mistake for what does not keep the configuration from being used.
func (r *report) warn(p path, format string, args ...any) {
	r.find(p, Warning, format, args...)
}

func (r *report) find(p path, s Severity, format string, args ...any) {
	for q := p; ; q = q.parent() {
		if r.bad[q] {
			return
		}
		if q == "" {
			break
		}
	}
	r.add(r.where(p), p, s, fmt.Sprintf(format, args...))
}
