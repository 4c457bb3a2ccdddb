package memory

import "weir/broker"

// Consumer is an application that consumes from a queue. Depth counts it as one of others, and a Cut spares it.
type Consumer struct{ source *source }

// Consume begins to consume: messages are delivered as long as fewer than prefetch are unacked. args are those of the
// consumer; x-priority counts.
func (b *Broker) Consume(queue string, prefetch int, args broker.Table) *Consumer {
	b.lock()
	defer b.mu.Unlock()
	c := &Consumer{b.consume(b.queue(queue), prefetch, args)}
	c.source.foreign = true
	return c
}

// Unacked returns what has been delivered and not acked, in order.
func (c *Consumer) Unacked() []*broker.Message {
	c.source.b.lock()
	defer c.source.b.mu.Unlock()
	var ms []*broker.Message
	for _, d := range c.source.inbox {
		ms = append(ms, c.source.q.message(d.entry, d.tag))
	}
	return ms
}

// Ack acks the oldest n messages, or all if fewer are unacked, and returns them.
func (c *Consumer) Ack(n int) []*broker.Message {
	ms := c.Unacked()
	c.source.b.lock()
	defer c.source.b.mu.Unlock()
	n = min(n, len(c.source.inbox))
	c.source.inbox = c.source.inbox[n:]
	c.source.q.dispatch()
	return ms[:n]
}

// Cancel ends it. What is unacked goes back to the queue.
func (c *Consumer) Cancel() { _ = c.source.Close() }
