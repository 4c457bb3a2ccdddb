package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// kind is what a node is made of.
type kind int

const (
	scalar kind = iota
	list
	mapping
)

func (k kind) String() string { return [...]string{"text", "a list", "keys and values"}[k] }

// node is a value of the file, with anchors resolved, merge keys (<<) merged and ${env:NAME} expanded.
type node struct {
	kind  kind
	at    position
	block bool // a mapping or list written over several lines: messages point at its key

	tag     string // of a scalar: !!str, !!int, !!float, !!bool, !!null, !!timestamp
	text    string // of a scalar, expanded
	written string // of a scalar, as in the file
	untyped bool   // a scalar from the environment or a flag: its text is read as whatever is wanted

	items   []*node // of a list
	entries []entry // of a mapping
}

// entry is a key of a mapping and its value.
type entry struct {
	key     string
	at      position
	comment string
	value   *node
}

func (n *node) null() bool { return n.kind == scalar && n.tag == "!!null" }

// get is the value of a key, or nil.
func (n *node) get(key string) *node {
	i := slices.IndexFunc(n.entries, func(e entry) bool { return e.key == key })
	if i < 0 {
		return nil
	}
	return n.entries[i].value
}

// maxNodes bounds what anchors can multiply a small file to.
const maxNodes = 200_000

// tree turns YAML's nodes into ours.
type tree struct {
	*report
	env   Env
	open  []*yaml.Node // nodes that are being built, to see that no anchor holds itself
	nodes int
}

// parseTree reads data, which must be one YAML document. It returns nil where nothing can be read.
func parseTree(r *report, data []byte, env Env) *node {
	t := &tree{report: r, env: env}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		t.add(t.root, "", Mistake, err.Error())
		return nil
	}
	var doc, second yaml.Node
	if err := loader.Load(&doc); err != nil {
		t.syntaxError(err, data)
		return nil
	}
	switch err := loader.Load(&second); {
	case err == nil:
		t.add(t.position(&second), "", Mistake, "a second document starts here; the configuration is one document")
	case !errors.Is(err, io.EOF):
		t.syntaxError(err, data)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	n := t.build(doc.Content[0], "")
	if t.nodes > maxNodes {
		t.add(t.root, "", Mistake, "the anchors of this file multiply to too many values")
		return nil
	}
	return n
}

func (t *tree) position(n *yaml.Node) position {
	return position{t.root.source, n.Line, n.Column}
}

// syntaxError notes what the YAML parser stumbled over, with the parser's words where those cannot hold a value.
func (t *tree) syntaxError(err error, data []byte) {
	if errors.Is(err, io.EOF) {
		t.add(t.root, "", Mistake, "the file is empty")
		return
	}
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		t.add(t.root, "", Mistake, "not YAML: "+err.Error())
		return
	}
	message := e.Message
	if e.Mark.Line < 1 { // of bytes that are no text
		t.add(t.root, "", Mistake, "not YAML: "+message)
		return
	}
	if e.Stage == yaml.ComposerStage { // names the anchor, which is the value where a secret starts with "*"
		message = `no anchor of that name; put a value that starts with "*" in quotes`
	}
	if tabbed(data, e.Mark.Line) {
		message = "a line is indented with blanks, not with tabs"
	} else if e.ContextMsg != "" {
		message += fmt.Sprintf(" %s, which starts on line %d", e.ContextMsg, e.ContextMark.Line)
	}
	t.add(position{t.root.source, e.Mark.Line, max(e.Mark.Column, 1)}, "", Mistake, "not YAML: "+message)
}

// tabbed tells whether there is a tab before the text of a line, which counts from 1.
func tabbed(data []byte, number int) bool {
	for line := range bytes.Lines(data) {
		if number--; number == 0 {
			text := bytes.TrimLeft(line, " \t")
			return bytes.ContainsRune(line[:len(line)-len(text)], '\t')
		}
	}
	return false
}

// build turns one YAML node, and all under it, into ours.
func (t *tree) build(y *yaml.Node, at path) *node {
	t.nodes++
	n := &node{at: t.position(y), tag: y.Tag}
	if t.nodes > maxNodes {
		return n
	}
	t.open = append(t.open, y)
	defer func() { t.open = t.open[:len(t.open)-1] }()
	switch y.Kind {
	case yaml.AliasNode:
		if slices.Contains(t.open, y.Alias) {
			t.unreadable(n.at, at, "the anchor holds itself")
			return n
		}
		return t.build(y.Alias, at)
	case yaml.MappingNode:
		n.kind, n.block = mapping, y.Style&yaml.FlowStyle == 0
		t.mapping(n, y, at)
	case yaml.SequenceNode:
		n.kind, n.block = list, y.Style&yaml.FlowStyle == 0
		for i, c := range y.Content {
			n.items = append(n.items, t.build(c, at.index(i)))
		}
	default:
		t.scalar(n, y, at)
	}
	return n
}

func (t *tree) mapping(n *node, y *yaml.Node, at path) {
	lines := map[string]int{} // of the keys that have been seen
	var merged []entry
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, v := y.Content[i], y.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			t.add(t.position(k), at, Mistake, "a key must be text")
			continue
		}
		if k.Tag == "!!merge" {
			merged = append(merged, t.merge(v, at)...)
			continue
		}
		if first, seen := lines[k.Value]; seen {
			t.add(t.position(k), at, Mistake, fmt.Sprintf("duplicate key %q; first on line %d", k.Value, first))
			continue
		}
		lines[k.Value] = k.Line
		n.entries = append(n.entries, entry{
			key: k.Value, at: t.position(k), comment: comment(k, v), value: t.build(v, at.key(k.Value)),
		})
	}
	for _, e := range merged { // a key that is written out wins over a merged one, an earlier merge over a later one
		if _, seen := lines[e.key]; !seen {
			lines[e.key] = e.at.line
			n.entries = append(n.entries, e)
		}
	}
}

// merge is what << adds: the entries of a mapping, or of several.
func (t *tree) merge(y *yaml.Node, at path) []entry {
	n := t.build(y, at)
	switch n.kind {
	case mapping:
		return n.entries
	case list:
		var all []entry
		for _, item := range n.items {
			all = append(all, item.entries...)
		}
		return all
	default:
		t.add(t.position(y), at, Mistake, "<< merges a mapping, such as *name, into this one")
		return nil
	}
}

// scalarTags are those that YAML gives to a value by itself.
var scalarTags = []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp"}

func (t *tree) scalar(n *node, y *yaml.Node, at path) {
	n.text, n.written = y.Value, y.Value
	if !slices.Contains(scalarTags, y.Tag) { // the tag is not quoted: it may be the start of a password
		t.unreadable(n.at, at, `tags are not used here; put a value that starts with "!" in quotes`)
		return
	}
	if y.Tag == "!!str" {
		t.expand(n, at)
	}
}

// comment is what the file says about a key: the lines above it and the end of its line.
func comment(key, value *yaml.Node) string {
	var words []string
	for line := range strings.Lines(key.HeadComment + "\n" + key.LineComment + "\n" + value.LineComment) {
		if line = strings.TrimSpace(strings.TrimLeft(line, "# \t")); line != "" {
			words = append(words, line)
		}
	}
	return strings.Join(words, " ")
}
