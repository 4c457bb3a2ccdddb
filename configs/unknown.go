package configs

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// unknownKey says what to write instead of a key that a block does not have: RabbitMQ's word in weir's place, the block
// the key belongs in, or the key that is spelt nearly the same.
func unknownKey(key string, block reflect.Type) string {
	cure, ok := rabbitKey(key, block)
	if !ok {
		cure, ok = belongsIn(key, block)
	}
	if !ok {
		cure = suggest(strings.ReplaceAll(key, "_", "-"), keys(fields(block)))
	}
	return fmt.Sprintf("unknown key %q%s", key, cure)
}

// belongsIn names the blocks under this one that have the key.
func belongsIn(key string, block reflect.Type) (string, bool) {
	var homes []string
	for _, f := range fields(block) {
		inner := f.typ
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && slices.Contains(keys(fields(inner)), key) {
			homes = append(homes, f.key)
		}
	}
	return "; it belongs in " + strings.Join(homes, " or "), len(homes) > 0
}

// rabbitKey translates keys of RabbitMQ's shovel and federation parameters that have another name or place here.
func rabbitKey(key string, block reflect.Type) (string, bool) {
	switch block {
	case reflect.TypeFor[Shovel]():
		if word, ok := strings.CutPrefix(key, "src-"); ok {
			return prefixed(word, "source", reflect.TypeFor[Source]())
		}
		if word, ok := strings.CutPrefix(key, "dest-"); ok {
			return prefixed(word, "destinations", reflect.TypeFor[Destination]())
		}
	case reflect.TypeFor[Source](), reflect.TypeFor[Destination]():
		if key == "exchange-key" {
			return "; write routing-key", true
		}
	case reflect.TypeFor[Upstream](), reflect.TypeFor[SetMember]():
		switch key {
		case "uri":
			return "; name a broker, which has the uris", true
		case "resource-cleanup-mode":
			return "; weir never deletes a buffer that holds messages", true
		}
	}
	return "", false
}

// prefixed translates a key without its src- or dest-.
func prefixed(word, home string, block reflect.Type) (string, bool) {
	switch {
	case word == "uri":
		return "; name a broker in " + home, true
	case word == "exchange-key":
		return "; write routing-key in " + home, true
	default:
		return "; write " + word + " in " + home, slices.Contains(keys(fields(block)), word)
	}
}
