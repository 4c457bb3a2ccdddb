package amqp

import (
	"bytes"
	"strconv"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// A basic.return carries the message and not its number. It is about the oldest message in flight that looks the same:
// of two that are the same in everything, it does not matter which of them is sent again.

// match finds the message that a return is about; nil if none has the same body, route and texts. The broker may have
// set the timestamp and headers of what it received (its message interceptors do), so these decide only among several.
func match(inFlight []*confirm, r *amqp091.Return) *confirm {
	var likely *confirm
	for _, c := range inFlight {
		if c.unroutable != nil || !looksLike(c, r) {
			continue
		}
		if sameHeaders(c, r) {
			return c
		}
		if likely == nil {
			likely = c
		}
	}
	return likely
}

// looksLike compares what no broker changes.
func looksLike(c *confirm, r *amqp091.Return) bool {
	p := &c.message.Properties
	return len(c.message.Body) == len(r.Body) &&
		c.key == r.RoutingKey &&
		c.exchange == r.Exchange &&
		p.MessageID == r.MessageId &&
		p.CorrelationID == r.CorrelationId &&
		p.ContentType == r.ContentType &&
		p.ContentEncoding == r.ContentEncoding &&
		p.DeliveryMode == r.DeliveryMode &&
		p.Priority == r.Priority &&
		p.ReplyTo == r.ReplyTo &&
		sameNumber(p.Expiration, r.Expiration) &&
		p.Type == r.Type &&
		p.UserID == r.UserId &&
		p.AppID == r.AppId &&
		bytes.Equal(c.message.Body, r.Body)
}

// sameNumber compares expirations: RabbitMQ 4 gives back "0060000" as "60000".
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	n, errA := strconv.ParseInt(a, 10, 64)
	m, errB := strconv.ParseInt(b, 10, 64)
	return errA == nil && errB == nil && n == m
}

// sameHeaders compares what a headers exchange may have routed by, and the timestamp.
func sameHeaders(c *confirm, r *amqp091.Return) bool {
	if c.message.Properties.Timestamp.Unix() != r.Timestamp.Unix() {
		return false
	}
	if len(c.message.Headers) == 0 || len(r.Headers) == 0 {
		return len(c.message.Headers) == len(r.Headers)
	}
	return bytes.Equal(onWire(c.message.Headers), onWire(fromTable(r.Headers)))
}

// onWire is a table as AMQP knows it: without the zone of a time, and in the order of its names. nil if it cannot be encoded.
func onWire(t broker.Table) []byte {
	b, err := appendTable(nil, t)
	if err != nil {
		return nil
	}
	sortTable(b)
	return b
}
