package configs

import (
	"os"
	"reflect"
	"slices"
)

// identity names a setting independently of the blocks that it is inlined into.
type identity struct {
	owner reflect.Type
	key   string
}

// descriptions are the comments of weir.yaml by the setting they stand at, the first where there are several.
func descriptions() (map[identity]string, error) {
	r := newReport("weir.yaml")
	root := parseTree(r, example, os.LookupEnv)
	if r.problems.failed() {
		return nil, r.problems
	}
	found := map[identity]string{}
	describe(root, reflect.TypeFor[Config](), found)
	return found, nil
}

// describe collects the comments of n, which is read into a t. A setting without a comment is there, and "".
func describe(n *node, t reflect.Type, found map[identity]string) {
	switch {
	case t.Kind() == reflect.Pointer:
		describe(n, t.Elem(), found)
	case n.kind == list && t.Kind() == reflect.Slice:
		for _, item := range n.items {
			describe(item, t.Elem(), found)
		}
	case n.kind == mapping && t.Kind() == reflect.Map:
		for _, e := range n.entries {
			describe(e.value, t.Elem(), found)
		}
	case n.kind == mapping && t.Kind() == reflect.Struct:
		for _, f := range fields(t) {
			i := slices.IndexFunc(n.entries, func(e entry) bool { return e.key == f.key })
			if i < 0 {
				continue
			}
			if found[f.identity] == "" {
				found[f.identity] = n.entries[i].comment
			}
			describe(n.entries[i].value, f.typ, found)
		}
	}
}

// blocks lists a struct type and all struct types in it that are blocks of the file.
func blocks(t reflect.Type) []reflect.Type {
	var all []reflect.Type
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || len(fields(t)) == 0 || slices.Contains(all, t) {
			return
		}
		all = append(all, t)
		for _, f := range fields(t) {
			visit(f.typ)
		}
	}
	visit(t)
	return all
}
