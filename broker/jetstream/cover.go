package jetstream

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/broker"
)

// maxFilters is how many filter subjects a consumer gets at most. The server compares each with each when it takes them,
// and all of them with every message.
const maxFilters = 512

// cover returns filter subjects that match everything which bindings with these keys want of an exchange of this type,
// and as little else as JetStream can tell. None of them is contained in another, which JetStream refuses. Without keys
// it is a filter that matches nothing: a consumer without filters gets everything.
func (n names) cover(exchange, kind string, keys []string) []string {
	root := n.subjects + "x." + token(exchange)
	if len(keys) == 0 {
		return []string{root} // the stream stores only what has a word after it
	}
	filters := map[string]bool{}
	for _, key := range keys {
		switch kind {
		case "direct":
			filters[root+"."+words(key)] = true
		case "topic":
			for _, f := range topicFilters(root, key) {
				filters[f] = true
			}
		default: // fanout has no key, that of headers and of plugins' types means something else
			return []string{root + ".>"}
		}
	}
	least := reduce(filters)
	for depth := deepest(least) - 1; len(least) > maxFilters; depth-- {
		least = reduce(cut(least, depth))
	}
	return least
}

// filters match exactly what a binding of a topic exchange with this key matches. A key with "#" before its end has none.
func (n names) filters(exchange, key string) ([]string, error) {
	words := strings.Split(key, ".")
	if i := slices.Index(words, "#"); i >= 0 && i < len(words)-1 {
		return nil, fmt.Errorf("binding key %q: JetStream has no filter for # before the end: %w", key, broker.ErrUnsupported)
	}
	return topicFilters(n.subjects+"x."+token(exchange), key), nil
}

// topicFilters match what a binding of a topic exchange with this key matches, and more where words follow a "#", for
// which JetStream has nothing.
func topicFilters(root, key string) []string {
	parts := strings.Split(key, ".")
	for i, word := range parts {
		switch word {
		case "#":
			if rest := parts[i:]; slices.ContainsFunc(rest, func(w string) bool { return w != "#" }) || i == 0 {
				return []string{root + ".>"}
			}
			return []string{root, root + ".>"}
		case "*":
			root += ".*"
		default:
			root += "." + token(word)
		}
	}
	return []string{root}
}

// cut widens filters that are longer than depth words to all that begins with these.
func cut(filters []string, depth int) map[string]bool {
	short := map[string]bool{}
	for _, f := range filters {
		if w := strings.Split(f, "."); len(w) > depth {
			f = strings.Join(w[:depth], ".") + ".>"
		}
		short[f] = true
	}
	return short
}

func deepest(filters []string) (depth int) {
	for _, f := range filters {
		depth = max(depth, strings.Count(f, ".")+1)
	}
	return depth
}

// reduce leaves out what another filter contains. The rest is sorted.
func reduce(filters map[string]bool) []string {
	all := new(filterTree)
	for f := range filters {
		all.add(strings.Split(f, "."))
	}
	maps.DeleteFunc(filters, func(f string, _ bool) bool { return all.contains(strings.Split(f, "."), true) })
	return slices.Sorted(maps.Keys(filters))
}

// filterTree holds filters word by word.
type filterTree struct {
	next map[string]*filterTree
	ends bool // here ends one
}

func (t *filterTree) add(words []string) {
	if len(words) == 0 {
		t.ends = true
		return
	}
	if t.next == nil {
		t.next = map[string]*filterTree{}
	}
	if t.next[words[0]] == nil {
		t.next[words[0]] = new(filterTree)
	}
	t.next[words[0]].add(words[1:])
}

// contains reports whether a filter of the tree matches all that this one does. itself: all words before these were the
// same in both; the very same filter does not count.
func (t *filterTree) contains(words []string, itself bool) bool {
	if len(words) == 0 {
		return t.ends && !itself
	}
	word, rest := words[0], words[1:]
	if t.next[">"] != nil && !(itself && word == ">") {
		return true
	}
	if word == ">" {
		return false
	}
	if any := t.next["*"]; any != nil && any.contains(rest, itself && word == "*") {
		return true
	}
	same := t.next[word]
	return word != "*" && same != nil && same.contains(rest, itself)
}
