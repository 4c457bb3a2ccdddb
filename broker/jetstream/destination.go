package jetstream

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"weir/broker"
)

// destination says which subject a message is published to.
type destination struct {
	names names
	at    broker.Address
	fixed string // the subject, where it is the same for every message

	// What the subject was made of last, for the next message with the same.
	exchange, key, subject string
}

func (b *Broker) destination(at broker.Address) (destination, error) {
	d := destination{names: b.names, at: at}
	switch {
	case at.Queue != "":
		d.fixed = b.names.subject("", at.Queue)
	case at.Exchange != "" && at.RoutingKey != "":
		d.fixed = b.names.subject(at.Exchange, at.RoutingKey)
	case at.Exchange != "":
	case at.Subject != "":
		if !literal(at.Subject) {
			return d, fmt.Errorf("subject %q: blanks, empty words and wildcards cannot be published to: %w", at.Subject, broker.ErrUnsupported)
		}
		d.fixed = at.Subject
	case at != (broker.Address{}):
		return d, fmt.Errorf("%v: to publish, name a queue, an exchange or a subject: %w", at, broker.ErrUnsupported)
	}
	return d, nil
}

// of returns the subject of m. withAddress: it does not say m's exchange and routing key, so m must carry them.
func (d *destination) of(m *broker.Message) (subject string, withAddress bool) {
	switch {
	case d.fixed != "":
		return d.fixed, d.at.Subject != "" && hasAddress(m)
	case d.at.Exchange != "":
		return d.made(d.at.Exchange, m.RoutingKey), false
	case foreign(m):
		return m.Subject, hasAddress(m)
	}
	return d.made(m.Exchange, m.RoutingKey), false
}

func (d *destination) made(exchange, key string) string {
	if d.subject == "" || exchange != d.exchange || key != d.key {
		d.exchange, d.key, d.subject = exchange, key, d.names.subject(exchange, key)
	}
	return d.subject
}

// foreign reports whether m comes from a subject that was not made of RabbitMQ's words, in whatever vhost.
func foreign(m *broker.Message) bool {
	if m.Subject == "" {
		return false
	}
	own := names{}.subject(m.Exchange, m.RoutingKey)
	return m.Subject != own && !strings.HasSuffix(m.Subject, "."+own)
}

// hasAddress reports whether m has an exchange and a routing key of its own. A message of NATS has only its subject.
func hasAddress(m *broker.Message) bool {
	return m.Exchange != "" || m.RoutingKey != "" && m.RoutingKey != m.Subject
}

// literal reports whether a subject can be published to.
func literal(subject string) bool {
	for w := range strings.SplitSeq(subject, ".") {
		if w == "" || w == "*" || w == ">" || strings.ContainsAny(w, " \t\r\n\x00") {
			return false
		}
	}
	return true
}

// identity makes the Nats-Msg-Id that streams remove duplicates by.
type identity struct {
	site        string
	byMessageID bool
	buffer      []byte
}

// of is the same each time the same message is sent to the same subject, and empty for a message that cannot be told
// from others. When a message was stored is part of it: a server that has lost what was not on its disk yet gives the same
// sequences to others.
func (id *identity) of(m *broker.Message, subject string) string {
	b := id.buffer[:0]
	switch {
	case m.Origin.Sequence != 0:
		b = binary.BigEndian.AppendUint64(append(b, 's'), m.Origin.Sequence)
		b = binary.BigEndian.AppendUint64(b, uint64(m.Origin.Stored.UnixNano()))
	case id.byMessageID && m.Properties.MessageID != "":
		b = appendField(append(b, 'm'), m.Properties.MessageID)
	default:
		return ""
	}
	b = appendField(appendField(appendField(b, id.site), m.Origin.Scope), subject)
	id.buffer = b
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// appendField appends s so that no two lists of fields are the same bytes.
func appendField(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
