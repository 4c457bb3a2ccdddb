package configs

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
)

// decoder fills structs from nodes, strictly: an unknown key, a value of another type or without its unit, a number out
// of bounds and a missing key are mistakes. It goes on after each.
type decoder struct {
	*report
	folder string // where relative paths start: that of weir.yaml
}

// defaulter is a block that has defaults (defaults.go).
type defaulter interface{ setDefaults() }

// shorthand is a block that may be written as one scalar, which then stands for all of these keys.
type shorthand interface{ shorthand() []string }

// worded is a value that is one of a few words.
type worded interface{ words() []string }

// textual is a value with a notation of its own, such as 2000/s. setText's error names the notation.
type textual interface {
	setText(text string) error
	String() string
}

var durationType = reflect.TypeFor[time.Duration]()

// fill gives a new value, and the blocks in it, their defaults.
func fill(v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			fill(v.Field(i))
		}
	}
	if d, ok := reflect.TypeAssert[defaulter](v.Addr()); ok {
		d.setDefaults()
	}
}

// value reads n into v, which holds the default. key is where a message about a block over several lines points.
func (d *decoder) value(n *node, key position, v reflect.Value, at path, f field) {
	d.places[at] = place{at: n.at, written: n.written, empty: n.kind == scalar && n.text == ""}
	if n.block || n.null() {
		d.places[at] = place{at: key}
	}
	if d.bad[at] { // the tree has said why
		return
	}
	if n.null() && v.Kind() != reflect.Map && v.Kind() != reflect.Slice && v.Kind() != reflect.Interface {
		d.unreadable(key, at, "has no value; give it one or remove the key")
		return
	}
	target := v.Addr().Interface()
	if s, ok := target.(shorthand); ok && n.kind == scalar {
		d.inFull(n, key, v, at, s.shorthand())
		return
	}
	switch target := target.(type) {
	case textual:
		d.text(n, target, at)
		return
	case *Secret:
		if d.isText(n, at) {
			*target = NewSecret(n.text)
		}
		return
	}
	switch {
	case v.Type() == durationType:
		d.duration(n, v, at, f)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
		d.value(n, key, v.Elem(), at, f)
	case v.Kind() == reflect.Struct:
		d.block(n, v, at)
	case v.Kind() == reflect.Map:
		d.names(n, v, at, f)
	case v.Kind() == reflect.Slice:
		d.list(n, v, at, f)
	case v.Kind() == reflect.Interface:
		if loose := d.loose(n, at); loose != nil {
			v.Set(reflect.ValueOf(loose))
		}
	default:
		d.scalar(n, v, at, f)
	}
}

// inFull reads a shorthand: the same scalar into each of the keys. Messages name the block, as the file does.
func (d *decoder) inFull(n *node, key position, v reflect.Value, at path, names []string) {
	for _, f := range fields(v.Type()) {
		if slices.Contains(names, f.key) {
			d.value(n, key, v.FieldByIndex(f.index), at, f)
			d.places[at.key(f.key)] = d.places[at]
		}
	}
}

// block reads a mapping into a struct.
func (d *decoder) block(n *node, v reflect.Value, at path) {
	if !d.is(mapping, n, at) {
		return
	}
	known := fields(v.Type())
	for _, e := range n.entries {
		i := slices.IndexFunc(known, func(f field) bool { return f.key == e.key })
		if i < 0 {
			d.add(e.at, at, Mistake, unknownKey(e.key, v.Type()))
			continue
		}
		d.value(e.value, e.at, v.FieldByIndex(known[i].index), at.key(e.key), known[i])
	}
	for _, f := range known {
		if f.required && n.get(f.key) == nil {
			d.unreadable(d.where(at), at.key(f.key), "missing%s", choice(f))
		}
	}
}

// choice ends a message about a missing key whose value is one of a few words.
func choice(f field) string {
	if w, ok := reflect.TypeAssert[worded](reflect.Zero(f.typ)); ok {
		return "; choose from " + strings.Join(w.words(), ", ")
	}
	return ""
}

// names reads a mapping whose keys are names, of brokers or of arguments; they keep their case and dots.
func (d *decoder) names(n *node, v reflect.Value, at path, f field) {
	if n.null() || !d.is(mapping, n, at) {
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.entries))
	for _, e := range n.entries {
		item := reflect.New(v.Type().Elem()).Elem()
		fill(item)
		d.value(e.value, e.at, item, at.key(e.key), f)
		m.SetMapIndex(reflect.ValueOf(e.key), item)
	}
	v.Set(m)
}

func (d *decoder) list(n *node, v reflect.Value, at path, f field) {
	if n.null() || !d.is(list, n, at) {
		return
	}
	items := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, c := range n.items {
		fill(items.Index(i))
		d.value(c, c.at, items.Index(i), at.index(i), f)
	}
	v.Set(items)
}

// is checks what a node is made of. The value is not quoted: a uri in the wrong place may hold a password.
func (d *decoder) is(want kind, n *node, at path) bool {
	if n.kind != want {
		d.unreadable(n.at, at, "want %s, found %s", want, n.kind)
	}
	return n.kind == want
}

// isText checks that a value is text. A number is not: YAML may read 010 or 1_0 in another way than it looks.
func (d *decoder) isText(n *node, at path) bool {
	switch {
	case !d.is(scalar, n, at):
		return false
	case n.tag != "!!str" && !n.untyped:
		d.unreadable(n.at, at, "want text, found %s; put it in quotes", scalarNames[n.tag])
		return false
	}
	return true
}

var scalarNames = map[string]string{
	"!!int": "a number", "!!float": "a number", "!!bool": "true or false", "!!timestamp": "a date", "!!null": "nothing",
}

// resolve makes a path in the file one that can be opened.
func (d *decoder) resolve(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.folder, name)
}
