package telemetry

import "weir/broker"

// traceparent is the header with the trace context (W3C Trace Context, section 3.2). NATS clients that write it through
// Go's http.Header spell it the other way; the names of NATS headers are case-sensitive.
const (
	traceparent      = "traceparent"
	traceparentTitle = "Traceparent"
)

// A traceparent of version 00 is version-traceid-spanid-flags, each in lower-case hex.
const (
	parentLength = 55
	flagAt       = 54 // the digit with the sampled bit
)

// decision is whether a message is followed.
type decision int

const (
	undecided decision = iota // no context: the ratio decides
	sampled
	unsampled
)

// decide looks at the flag before anything else: it costs nothing that a message is not sampled. A header that is no
// trace context is left alone.
func decide(h broker.Table) decision {
	_, v := contextOf(h)
	switch v := v.(type) {
	case nil:
		return undecided
	case string:
		if len(v) >= parentLength && isSet(v[flagAt]) {
			return sampled
		}
	case []byte:
		if len(v) >= parentLength && isSet(v[flagAt]) {
			return sampled
		}
	}
	return unsampled
}

// isSet reads the lowest bit of a hex digit.
func isSet(digit byte) bool {
	switch {
	case '0' <= digit && digit <= '9':
		return digit&1 == 1
	case 'a' <= digit && digit <= 'f':
		return digit&1 == 0 // a is ten
	}
	return false
}

// contextOf finds the header, under its own name or that of Go's http.Header; value is nil if there is none.
func contextOf(h broker.Table) (key string, value any) {
	if v, ok := h[traceparent]; ok {
		return traceparent, v
	}
	if v, ok := h[traceparentTitle]; ok {
		return traceparentTitle, v
	}
	return traceparent, nil
}
