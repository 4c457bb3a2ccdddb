package amqp

import (
	"fmt"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// What RabbitMQ itself adds to the headers of a delivery. The message was not published with them, so they are taken
// out; what they say is kept in Origin.
const (
	deliveryCount = "x-delivery-count" // quorum queues: how often it failed
	acquiredCount = "x-acquired-count" // quorum queues from 4.3: how often it was delivered before
	streamOffset  = "x-stream-offset"  // streams
)

// storedHeader is set by RabbitMQ's message timestamp interceptor, in milliseconds. It stays in the headers.
const storedHeader = "timestamp_in_ms"

// incoming makes a message of a delivery, which it takes over.
func incoming(d *amqp091.Delivery, scope string) *broker.Message {
	m := &broker.Message{
		Exchange:   d.Exchange,
		RoutingKey: d.RoutingKey,
		Properties: broker.Properties{
			ContentType:     d.ContentType,
			ContentEncoding: d.ContentEncoding,
			DeliveryMode:    d.DeliveryMode,
			Priority:        d.Priority,
			CorrelationID:   d.CorrelationId,
			ReplyTo:         d.ReplyTo,
			Expiration:      d.Expiration,
			MessageID:       d.MessageId,
			Timestamp:       d.Timestamp,
			Type:            d.Type,
			UserID:          d.UserId,
			AppID:           d.AppId,
		},
		Headers:     fromTable(d.Headers),
		Body:        d.Body,
		Redelivered: d.Redelivered,
		Origin:      broker.Origin{Scope: scope},
		Tag:         d.DeliveryTag,
	}
	if len(m.Headers) > 0 {
		m.Origin.Returns = int(max(take(m.Headers, deliveryCount), take(m.Headers, acquiredCount)))
		if ms, ok := integer(m.Headers[storedHeader]); ok {
			m.Origin.Stored = time.UnixMilli(ms)
		}
	}
	return m
}

// take removes a header and returns its number, 0 if there is none.
func take(t broker.Table, key string) int64 {
	value, ok := t[key]
	if !ok {
		return 0
	}
	delete(t, key)
	n, _ := integer(value)
	return n
}

// integer reads a header that is a whole number, whatever its width: that has changed between versions of RabbitMQ.
func integer(value any) (int64, bool) {
	switch n := value.(type) {
	case int64:
		return n, true
	case int32:
		return int64(n), true
	case int16:
		return int64(n), true
	case int8:
		return int64(n), true
	case uint8:
		return int64(n), true
	case uint16:
		return int64(n), true
	case uint32:
		return int64(n), true
	}
	return 0, false
}

// outgoing makes of m what amqp091-go can send. frameMax is the connection's; a content header does not split. The
// error is broker.ErrRefused: the library would answer any of this by closing the connection.
func outgoing(m *broker.Message, frameMax int) (amqp091.Publishing, error) {
	p := &m.Properties
	size := 7 + 1 + 14 // frame, end octet; class, weight, body size and flags
	for _, text := range [...]string{
		p.ContentType, p.ContentEncoding, p.CorrelationID, p.ReplyTo, p.Expiration, p.MessageID, p.Type, p.UserID, p.AppID,
	} {
		if len(text) > mostShort {
			return amqp091.Publishing{}, fmt.Errorf("%w: property %.20q... has %d bytes, at most %d are possible",
				broker.ErrRefused, text, len(text), mostShort)
		}
		size += 1 + len(text)
	}
	size += 2 + 8 // delivery mode, priority and timestamp
	headers, n, err := toTable(m.Headers)
	if err != nil {
		return amqp091.Publishing{}, fmt.Errorf("%w: %w", broker.ErrRefused, err)
	}
	if size += n; frameMax > 0 && size > frameMax {
		return amqp091.Publishing{}, fmt.Errorf("%w: properties and headers of %d bytes; they must fit into one frame of %d (frame_max)",
			broker.ErrTooLarge, size, frameMax)
	}
	return amqp091.Publishing{
		Headers:         headers,
		ContentType:     p.ContentType,
		ContentEncoding: p.ContentEncoding,
		DeliveryMode:    p.DeliveryMode,
		Priority:        p.Priority,
		CorrelationId:   p.CorrelationID,
		ReplyTo:         p.ReplyTo,
		Expiration:      p.Expiration,
		MessageId:       p.MessageID,
		Timestamp:       p.Timestamp,
		Type:            p.Type,
		UserId:          p.UserID,
		AppId:           p.AppID,
		Body:            m.Body,
	}, nil
}
