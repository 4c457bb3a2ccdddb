package configs

import (
	"regexp"
	"strconv"
	"strings"
)

// path names a place in the file, as messages show it: shovels.orders-overflow.destinations[0].broker. A name with
// anything but letters, digits, "_" and "-" is quoted, so that brokers."eu.west".type can be read in one way only.
type path string

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// key is the place of one key of p.
func (p path) key(name string) path {
	if !plainName.MatchString(name) {
		name = strconv.Quote(name)
	}
	if p == "" {
		return path(name)
	}
	return p + "." + path(name)
}

// Place names a place in the file as Problem.Path does: Place("shovels", "eu.orders", "source").
func Place(keys ...string) string {
	var p path
	for _, k := range keys {
		p = p.key(k)
	}
	return string(p)
}

// index is the place of one element of p.
func (p path) index(i int) path {
	return p + path("["+strconv.Itoa(i)+"]")
}

// parent is the place that holds p; the parent of a top-level key is "". Quoting escapes every inner quote, so ."
// can only be the start of a quoted name.
func (p path) parent() path {
	s := string(p)
	var cut int
	switch {
	case strings.HasSuffix(s, "]"):
		cut = strings.LastIndex(s, "[")
	case strings.HasSuffix(s, `"`):
		cut = strings.LastIndex(s, `."`)
	default:
		cut = strings.LastIndex(s, ".")
	}
	return p[:max(cut, 0)]
}
