package broker

import "time"

// Message is one message on its way. A Source makes it; the link may change its headers and properties before the first
// Send; nothing changes it afterwards.
type Message struct {
	// Exchange and RoutingKey are those it was published with. From JetStream they are read back from a subject that
	// weir's names made; of any other subject RoutingKey is the whole.
	Exchange, RoutingKey string
	// Subject is the NATS subject it was stored under, empty from any other broker.
	Subject string

	Properties Properties
	// Headers may be nil. Values have the types that Table lists.
	Headers Table
	Body    []byte

	// Redelivered: the broker says it may have been delivered before.
	Redelivered bool
	Origin      Origin

	// Tag is the Source's own handle on it.
	Tag uint64
}

// Origin says where a message lay at its source.
type Origin struct {
	// Scope names the queue (with its vhost) or the stream (with when it was made): what makes Sequence, or a
	// message-id, unique.
	Scope string
	// Sequence is its number in a stream, the same on each redelivery; 0 where the source has none.
	Sequence uint64
	// Stored is when the source broker stored it, zero if it does not say.
	Stored time.Time
	// Returns is how often the broker says it was delivered and came back, as far as it counts that.
	Returns int
}

// Properties are those of AMQP 0-9-1 (section 1.8, basic content properties). Zero means not set.
type Properties struct {
	ContentType     string
	ContentEncoding string
	DeliveryMode    uint8 // 1 transient, 2 persistent
	Priority        uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string // milliseconds, as text
	MessageID       string
	Timestamp       time.Time // whole seconds
	Type            string
	UserID          string
	AppID           string
}
