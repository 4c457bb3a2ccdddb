package jetstream

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"weir/broker"
)

// bindingSet is what a buffer is bound with, exactly. Its filters only cover that, so it is kept in the metadata of its
// consumer, as text of one line: the keys of all bindings that have the same arguments, beside these.
//
//	[{"keys":["a.*","b"]},{"arguments":{"x-match":"all","n":{"int32":1}},"keys":[""]}]
//
// A longer text is compressed, "gzip:" and base64.
type bindingSet map[bindingID]broker.Binding

// bindingID tells bindings of one buffer apart.
type bindingID struct{ key, arguments string }

const (
	bindingsKey     = "weir-bindings" // in metadata
	compressedMark  = "gzip:"
	readableLength  = 4 << 10
	maxMetadata     = 127 << 10 // of one consumer; the server takes 128 KiB, and adds some of its own
	maxDecompressed = 64 << 20
)

type boundAlike struct {
	Arguments json.RawMessage `json:"arguments,omitempty"`
	Keys      []string        `json:"keys"`
}

// id fails on arguments that are none of AMQP's types.
func identify(b broker.Binding) (bindingID, error) {
	id := bindingID{key: b.Key}
	if len(b.Arguments) == 0 {
		return id, nil
	}
	arguments, err := appendTable(nil, b.Arguments)
	if err != nil {
		return id, fmt.Errorf("binding %q: %w", b.Key, err)
	}
	id.arguments = string(arguments)
	return id, nil
}

// with is the set after some have been added, and others removed then. changed is false if that changes nothing.
func (s bindingSet) with(add, remove []broker.Binding) (next bindingSet, changed bool, err error) {
	next = make(bindingSet, len(s)+len(add))
	maps.Copy(next, s)
	for _, b := range add {
		id, err := identify(b)
		if err != nil {
			return nil, false, err
		}
		next[id] = broker.Binding{Key: b.Key, Arguments: b.Arguments}
	}
	for _, b := range remove {
		id, err := identify(b)
		if err != nil {
			return nil, false, err
		}
		delete(next, id)
	}
	return next, !maps.EqualFunc(s, next, func(_, _ broker.Binding) bool { return true }), nil
}

// list is all of them, in the order of their keys.
func (s bindingSet) list() []broker.Binding {
	ids := slices.SortedFunc(maps.Keys(s), func(a, b bindingID) int {
		return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(a.arguments, b.arguments))
	})
	all := make([]broker.Binding, len(ids))
	for i, id := range ids {
		all[i] = s[id]
	}
	return all
}

func (s bindingSet) keys() []string {
	keys := make([]string, 0, len(s))
	for id := range s {
		keys = append(keys, id.key)
	}
	return keys
}

// encode is the set as text. It fails if that is longer than metadata may be.
func (s bindingSet) encode() (string, error) {
	alike := map[string]*boundAlike{}
	groups := []*boundAlike{}
	for _, b := range s.list() {
		id, err := identify(b)
		if err != nil {
			return "", err
		}
		g := alike[id.arguments]
		if g == nil {
			g = &boundAlike{Arguments: json.RawMessage(id.arguments)}
			alike[id.arguments] = g
			groups = append(groups, g)
		}
		g.Keys = append(g.Keys, escapeName(b.Key))
	}
	text, err := json.Marshal(groups)
	if err != nil {
		return "", err
	}
	if len(text) > readableLength {
		text = compress(text)
	}
	if len(text) > maxMetadata {
		return "", fmt.Errorf("%d bindings take %d bytes of a consumer's metadata, compressed, and NATS has room for %d; bind with fewer, wider patterns: %w",
			len(s), len(text), maxMetadata, broker.ErrUnsupported)
	}
	return string(text), nil
}

func compress(text []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level exists
	_, _ = z.Write(text)                                  // memory takes it
	_ = z.Close()
	return base64.StdEncoding.AppendEncode([]byte(compressedMark), b.Bytes())
}

func decompress(text string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, maxDecompressed))
}

// decodeBindings is the reverse of encode.
func decodeBindings(text string) (bindingSet, error) {
	plain := []byte(text)
	if packed, ok := strings.CutPrefix(text, compressedMark); ok {
		var err error
		if plain, err = decompress(packed); err != nil {
			return nil, fmt.Errorf("bindings in the metadata: %w", err)
		}
	}
	var groups []boundAlike
	if err := json.Unmarshal(plain, &groups); err != nil {
		return nil, fmt.Errorf("bindings in the metadata: %w", err)
	}
	set := bindingSet{}
	for _, g := range groups {
		var arguments broker.Table
		if len(g.Arguments) > 0 {
			var err error
			if arguments, err = parseTable(string(g.Arguments)); err != nil {
				return nil, fmt.Errorf("arguments of bindings in the metadata: %w", err)
			}
		}
		for _, k := range g.Keys {
			key, err := unescapeName(k)
			if err != nil {
				return nil, fmt.Errorf("key of a binding in the metadata: %w", err)
			}
			b := broker.Binding{Key: key, Arguments: arguments}
			id, err := identify(b)
			if err != nil {
				return nil, err
			}
			set[id] = b
		}
	}
	return set, nil
}
