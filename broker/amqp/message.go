package amqp

import (
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
