package migrate

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Remark is something that an operator must know about one place of the file. Place is as in weir's own messages
// (shovels.orders), or empty for the file as a whole.
type Remark struct {
	Place string
	Text  string
}

// String is one line.
func (r Remark) String() string {
	if r.Place == "" {
		return r.Text
	}
	return r.Place + ": " + r.Text
}

// remarks are in the order in which they were made. A second one with the same words at the same place is none.
type remarks []Remark

func (r *remarks) add(place, format string, args ...any) {
	remark := Remark{place, oneLine(fmt.Sprintf(format, args...))}
	if !slices.Contains(*r, remark) {
		*r = append(*r, remark)
	}
}

// first puts a remark before those that are there.
func (r *remarks) first(place, text string) {
	*r = slices.Insert(*r, 0, Remark{place, text})
}

func (r remarks) at(place string) (texts []string) {
	for _, remark := range r {
		if remark.Place == place {
			texts = append(texts, remark.Text)
		}
	}
	return texts
}

// oneLine keeps what the definitions hold from ending a comment.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}

// commentWidth is where the lines of comments end, so that they can be read beside the YAML.
const commentWidth = 110

// comment is text as YAML comments: each in lines of its own, the second and later ones indented.
func comment(texts []string) string {
	var lines []string
	for _, text := range texts {
		line := "#"
		for word := range strings.FieldsSeq(text) {
			if len(line)+1+len(word) > commentWidth && line != "#  " {
				lines = append(lines, line)
				line = "#  "
			}
			line += " " + word
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
