package link

import (
	"time"

	"weir/broker"
)

// TimestampHeader is what RabbitMQ's message interceptor, or its timestamp plugin, writes when a message is published
// (rabbit_msg_interceptor_timestamp). In a hop it is when the message was forwarded, by weir.
const TimestampHeader = "timestamp_in_ms"

// Where the time comes from at which a message was stored at its source.
const (
	FromBroker    = "broker"          // the source tells
	FromHop       = "hop"             // when weir forwarded it there
	FromHeader    = "timestamp_in_ms" // RabbitMQ's header
	FromTimestamp = "timestamp"       // the property that its producer has set, in whole seconds
)

// StoredAt is when a message came to its source, and where that is known from: the zero time and empty if it is not. What
// producers and first brokers have written is of no use once the message has crossed a link.
func StoredAt(m *broker.Message) (at time.Time, from string) {
	stored := m.Origin.Stored
	ms, hasHeader := m.Headers[TimestampHeader].(int64)
	if !stored.IsZero() && (!hasHeader || stored.UnixMilli() != ms) { // RabbitMQ's driver knows it from the header
		return stored, FromBroker
	}
	if list, _ := m.Headers[ReceivedFrom].(broker.Array); len(list) > 0 {
		hop, _ := list[0].(broker.Table)
		at, ok := hop[TimestampHeader].(int64)
		switch {
		case ok && hasHeader && ms >= at: // written anew by the broker that it came to
			return time.UnixMilli(ms), FromHeader
		case ok:
			return time.UnixMilli(at), FromHop
		}
		return time.Time{}, ""
	}
	if hasHeader {
		return time.UnixMilli(ms), FromHeader
	}
	if !m.Properties.Timestamp.IsZero() {
		return m.Properties.Timestamp, FromTimestamp
	}
	return time.Time{}, ""
}
