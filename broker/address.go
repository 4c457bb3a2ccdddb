package broker

import "strings"

// Address says where on a broker messages come from or go to, in RabbitMQ's words or in NATS' own. RabbitMQ takes only
// its own words; JetStream takes both (see package jetstream for the names it makes of them). The zero Address, for a
// Sink, keeps each message's own exchange and routing key, or subject.
type Address struct {
	// Queue is a queue to consume from, or to publish to through the default exchange.
	Queue string
	// Exchange is an exchange to publish to; for a Source, one to receive from through Queue, which is then weir's own:
	// declared durable, and bound with RoutingKey.
	Exchange string
	// RoutingKey is the key to publish with, empty to keep the message's own; for a Source, the key to bind with.
	RoutingKey string

	// Stream and Consumer are a JetStream stream and a durable pull consumer on it.
	Stream, Consumer string
	// Subject is a NATS subject to publish to; for a Source, the filter of the consumer.
	Subject string
}

// String is what logs, status and errors show: the parts that are set, as in the configuration.
func (a Address) String() string {
	var b strings.Builder
	for _, part := range [...]struct{ key, value string }{
		{"queue", a.Queue},
		{"exchange", a.Exchange},
		{"routing-key", a.RoutingKey},
		{"stream", a.Stream},
		{"consumer", a.Consumer},
		{"subject", a.Subject},
	} {
		if part.value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(part.key)
		b.WriteByte('=')
		b.WriteString(part.value)
	}
	if b.Len() == 0 {
		return "original address"
	}
	return b.String()
}
