package amqp

import (
	"bytes"
	"encoding/binary"
	"fmt"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// amqp091-go encodes each header through several small allocations and copies each table from one buffer to the next. A
// message with a hop, which is a table in an array, spent a quarter of its time there. So weir encodes the properties
// and headers of a message itself. The library gets them as the only header of the message, an array of octets without a
// name, which it writes as it is; unwrap puts them in their place when the frame is passed on.

// content is what the library is given, again and again: it has written a message when it returns.
type content struct {
	encoded []byte
	headers amqp091.Table
}

// of is a message for amqp091-go. It is good until the next call. frameMax is the connection's; a content header does not
// split. The error is broker.ErrRefused or ErrTooLarge: the library or the broker would close the connection.
func (c *content) of(m *broker.Message, frameMax int) (amqp091.Publishing, error) {
	encoded, err := appendProperties(c.encoded[:0], m)
	if err != nil {
		return amqp091.Publishing{}, fmt.Errorf("%w: %w", broker.ErrRefused, err)
	}
	c.encoded = encoded
	if size := frameHeader + contentFixed + len(encoded) + frameEnd; frameMax > 0 && size > frameMax {
		return amqp091.Publishing{}, fmt.Errorf("%w: properties and headers of %d bytes; they must fit into one frame of %d (frame_max)",
			broker.ErrTooLarge, size, frameMax)
	}
	if c.headers == nil {
		c.headers = make(amqp091.Table, 1)
	}
	c.headers[""] = encoded
	return amqp091.Publishing{Headers: c.headers, Body: m.Body}, nil
}

// A content header is class, weight and size of the body, then the property list: flags, and what they announce, in the
// order of the flags (AMQP 0-9-1, section 4.2.6.1).
const contentFixed = 2 + 2 + 8

// Flags of the properties (class basic).
const (
	hasContentType = 1 << (15 - iota)
	hasContentEncoding
	hasHeaders
	hasDeliveryMode
	hasPriority
	hasCorrelationID
	hasReplyTo
	hasExpiration
	hasMessageID
	hasTimestamp
	hasType
	hasUserID
	hasAppID
)

// appendProperties encodes the property list of m. An error says what cannot be encoded.
func appendProperties(b []byte, m *broker.Message) ([]byte, error) {
	p := &m.Properties
	for _, text := range [...]string{
		p.ContentType, p.ContentEncoding, p.CorrelationID, p.ReplyTo, p.Expiration, p.MessageID, p.Type, p.UserID, p.AppID,
	} {
		if len(text) > mostShort {
			return nil, fmt.Errorf("property %.20q... has %d bytes, at most %d are possible", text, len(text), mostShort)
		}
	}
	start, flags := len(b), uint16(0)
	b = append(b, 0, 0)
	text := func(flag uint16, value string) {
		if value != "" {
			flags |= flag
			b = append(append(b, byte(len(value))), value...)
		}
	}
	octet := func(flag uint16, value uint8) {
		if value != 0 {
			flags |= flag
			b = append(b, value)
		}
	}
	text(hasContentType, p.ContentType)
	text(hasContentEncoding, p.ContentEncoding)
	if len(m.Headers) > 0 {
		flags |= hasHeaders
		var err error
		if b, err = appendTable(b, m.Headers); err != nil {
			return nil, err
		}
	}
	octet(hasDeliveryMode, p.DeliveryMode)
	octet(hasPriority, p.Priority)
	text(hasCorrelationID, p.CorrelationID)
	text(hasReplyTo, p.ReplyTo)
	text(hasExpiration, p.Expiration)
	text(hasMessageID, p.MessageID)
	if !p.Timestamp.IsZero() {
		flags |= hasTimestamp
		b = binary.BigEndian.AppendUint64(b, uint64(p.Timestamp.Unix()))
	}
	text(hasType, p.Type)
	text(hasUserID, p.UserID)
	text(hasAppID, p.AppID)
	binary.BigEndian.PutUint16(b[start:], flags)
	return b, nil
}

// wrapper is what amqp091-go writes around an encoded property list: a flag that only headers follow, the size of a table, a
// name of no bytes, the type, and the size of the octets.
const wrapper = 2 + 4 + 1 + 1 + 4

// unwrap returns a content header with the property list that was wrapped in it; any other as it is.
func unwrap(frame []byte) []byte {
	const at = frameHeader + contentFixed
	if len(frame) < at+wrapper+frameEnd {
		return frame
	}
	size := uint32(len(frame) - at - wrapper - frameEnd)
	var want [wrapper]byte
	binary.BigEndian.PutUint16(want[:], hasHeaders)
	binary.BigEndian.PutUint32(want[2:], 1+1+4+size)
	want[7] = 'x'
	binary.BigEndian.PutUint32(want[8:], size)
	if !bytes.Equal(frame[at:at+wrapper], want[:]) {
		return frame
	}
	copy(frame[wrapper:], frame[:at]) // what comes before moves up to it
	frame = frame[wrapper:]
	binary.BigEndian.PutUint32(frame[3:], contentFixed+size)
	return frame
}
