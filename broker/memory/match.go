package memory

import (
	"reflect"
	"strings"

	"weir/broker"
)

// matches tells whether a binding of this kind of exchange wants a message.
func (k Kind) matches(binding broker.Binding, key string, headers broker.Table) bool {
	switch k {
	case Fanout:
		return true
	case Topic:
		return topicMatches(strings.Split(binding.Key, "."), strings.Split(key, "."))
	case Headers:
		return headersMatch(binding.Arguments, headers)
	default:
		return binding.Key == key
	}
}

// topicMatches: "*" stands for one word, "#" for any number of words, none too.
func topicMatches(pattern, words []string) bool {
	if len(pattern) == 0 {
		return len(words) == 0
	}
	if pattern[0] == "#" {
		return topicMatches(pattern[1:], words) || len(words) > 0 && topicMatches(pattern, words[1:])
	}
	return len(words) > 0 && (pattern[0] == "*" || pattern[0] == words[0]) && topicMatches(pattern[1:], words[1:])
}

// headersMatch follows rabbit_exchange_type_headers: x-match says how many arguments must match ("all" unless it says
// "any"), and whether those that begin with "x-" count ("-with-x"). An argument without a value asks for presence only.
func headersMatch(args, headers broker.Table) bool {
	how, _ := args["x-match"].(string)
	how, withX := strings.CutSuffix(how, "-with-x")
	asAny := how == "any"
	for name, want := range args {
		if name == "x-match" || strings.HasPrefix(name, "x-") && !withX {
			continue
		}
		got, present := headers[name]
		if matched := present && (want == nil || sameValue(want, got)); matched == asAny {
			return asAny
		}
	}
	return !asAny
}

// sameValue: RabbitMQ compares integers, and floats, whatever their width.
func sameValue(a, b any) bool { return reflect.DeepEqual(widened(a), widened(b)) }

func widened(v any) any {
	switch r := reflect.ValueOf(v); {
	case !r.IsValid():
		return nil
	case r.CanInt():
		return r.Int()
	case r.CanUint():
		return int64(r.Uint()) //nolint:gosec // a header holds no uint64
	case r.CanFloat():
		return r.Float()
	}
	return v
}
