package jetstream

import (
	"strings"
	"unicode/utf8"

	"weir/broker"
)

// Headers on NATS are names with lists of text. A header whose name and value NATS carries unchanged travels as one of
// those, with its case, so that native clients read it; an Array of two or more such strings is a list. Everything else
// travels in one typed table. On the way in ordinary headers become strings, or Arrays of strings, and the typed table
// is laid over them.
const (
	typedHeader = "Amqp-Headers"
	// ownPrefix begins the names of this package: typedHeader, and those of message.go.
	ownPrefix = "Amqp-"
	// controlPrefix begins NATS' own names. They are orders to the broker that a message is published to (expected
	// sequence, roll-up, expiry, identity, schedule) or its notes, and never go on to the next.
	controlPrefix = "Nats-"
)

// writeHeaders puts t into h. strings that fit go as they are.
func (e *encoder) writeHeaders(t broker.Table) error {
	var typed broker.Table
	for name, v := range t {
		if plainName(name) {
			switch v := v.(type) {
			case string:
				if plainValue(v) {
					e.set(name, v)
					continue
				}
			case broker.Array:
				if list := plainList(v); list != nil {
					e.header[name] = list
					continue
				}
			}
		}
		if typed == nil {
			typed = make(broker.Table)
		}
		typed[name] = v
	}
	return e.table(typedHeader, typed)
}

// readHeader adds one header to t, which it makes if need be.
func readHeader(t *broker.Table, name string, values []string, expected int) {
	if *t == nil {
		*t = make(broker.Table, expected)
	}
	if len(values) == 1 {
		(*t)[name] = values[0]
		return
	}
	list := make(broker.Array, len(values))
	for i, v := range values {
		list[i] = v
	}
	(*t)[name] = list
}

// plainName reports whether NATS takes this as the name of an application's header.
func plainName(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?={}", c) >= 0 {
			return false
		}
	}
	return name != "" && !strings.HasPrefix(name, ownPrefix) && !strings.HasPrefix(name, controlPrefix)
}

// plainValue reports whether a NATS header carries s unchanged: clients trim blanks and replace line breaks.
func plainValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return s == "" || s[0] > ' ' && s[len(s)-1] > ' ' && utf8.ValidString(s)
}

// plainList returns a as a list that a NATS header carries unchanged, nil if it does not.
func plainList(a broker.Array) []string {
	if len(a) < 2 {
		return nil
	}
	list := make([]string, len(a))
	for i, v := range a {
		s, ok := v.(string)
		if !ok || !plainValue(s) {
			return nil
		}
		list[i] = s
	}
	return list
}
