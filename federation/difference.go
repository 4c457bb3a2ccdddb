package federation

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/broker"
)

// difference is what must be added to and removed from the bindings there are, to have those that are wanted.
func difference(want, have []broker.Binding) (add, remove []broker.Binding) {
	return without(want, have), without(have, want)
}

func without(these, those []broker.Binding) (left []broker.Binding) {
	known := make(map[string]bool, len(those))
	for _, b := range those {
		known[identify(b)] = true
	}
	for _, b := range these {
		if !known[identify(b)] {
			left = append(left, b)
		}
	}
	return left
}

// identify is the same for two bindings of a buffer that are the same: equal in key and arguments, by their values. Types
// do not count, because a management API does not tell them.
func identify(b broker.Binding) string {
	var s strings.Builder
	s.WriteString(strconv.Quote(b.Key))
	write(&s, b.Arguments)
	return s.String()
}

func write(s *strings.Builder, v any) {
	switch v := v.(type) {
	case broker.Table:
		s.WriteByte('{')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			s.WriteString(strconv.Quote(key))
			write(s, v[key])
		}
		s.WriteByte('}')
	case broker.Array:
		s.WriteByte('[')
		for _, item := range v {
			write(s, item)
		}
		s.WriteByte(']')
	case string:
		s.WriteString(strconv.Quote(v))
	case []byte:
		s.WriteString(strconv.Quote(string(v)))
	case int64: // beyond what a float64 can tell apart
		fmt.Fprintf(s, "%d,", v)
	case time.Time:
		fmt.Fprintf(s, "%d,", v.Unix())
	default:
		if n, ok := number(v); ok {
			s.WriteString(strconv.FormatFloat(n, 'f', -1, 64))
			s.WriteByte(',')
			return
		}
		fmt.Fprintf(s, "%v,", v)
	}
}
