package jetstream

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// applyArguments does to a queue's stream what RabbitMQ's arguments of queue.declare ask for. Those without a meaning on
// JetStream (x-max-priority, ...) are logged and left, so that a configuration moves between brokers.
func (b *Broker) applyArguments(c *jetstream.StreamConfig, args broker.Table) error {
	for name, v := range args {
		n, number := integer(v)
		ok := true
		switch name {
		case "x-max-length":
			c.MaxMsgs, ok = n, number && n > 0
		case "x-max-length-bytes":
			c.MaxBytes, ok = n, number && n > 0
		case "x-message-ttl":
			c.MaxAge, ok = time.Duration(n)*time.Millisecond, number && n > 0
		case "x-overflow":
			switch v {
			case "drop-head":
				c.Discard = jetstream.DiscardOld
			case "reject-publish":
				c.Discard = jetstream.DiscardNew
			default:
				ok = false
			}
		case "x-queue-type": // federated queues have one; what a stream is, its broker says
		default:
			b.log.Warn("queue argument has no meaning on JetStream", "stream", c.Name, "argument", name)
		}
		if !ok {
			return fmt.Errorf("queue argument %s: %v: %w", name, v, broker.ErrUnsupported)
		}
	}
	if c.MaxAge > 0 {
		c.Duplicates = min(c.Duplicates, c.MaxAge) // JetStream refuses a longer memory than the stream's
	}
	return nil
}

// applyStart does to a new consumer what RabbitMQ's x-stream-offset asks for: where in the stream it begins.
func applyStart(c *jetstream.ConsumerConfig, args broker.Table) error {
	v, given := args["x-stream-offset"]
	if !given {
		return nil
	}
	switch offset := v.(type) {
	case string:
		switch offset {
		case "first":
			return nil
		case "last":
			c.DeliverPolicy = jetstream.DeliverLastPolicy
			return nil
		case "next":
			c.DeliverPolicy = jetstream.DeliverNewPolicy
			return nil
		}
	case time.Time:
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &offset
		return nil
	default:
		if n, ok := integer(v); ok && n >= 0 {
			c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, uint64(max(n, 1))
			return nil
		}
	}
	return fmt.Errorf("x-stream-offset %v: want first, last, next, a number or a time: %w", v, broker.ErrUnsupported)
}

func integer(v any) (int64, bool) {
	switch n := v.(type) {
	case int8:
		return int64(n), true
	case uint8:
		return int64(n), true
	case int16:
		return int64(n), true
	case uint16:
		return int64(n), true
	case int32:
		return int64(n), true
	case uint32:
		return int64(n), true
	case int64:
		return n, true
	}
	return 0, false
}
