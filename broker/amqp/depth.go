package amqp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/broker"
)

// Consumers with these tags move messages from broker to broker; they are not who the messages are for. The second is
// what RabbitMQ's federation plugin calls its own.
var carriers = [...]string{ownPrefix, "federation-link-"}

// Depth implements broker.Broker: ready and consumers by a passive declare, the rest from the management API where one is
// configured; what it tells is a few seconds old.
//
// A quorum queue that is busy answers a passive declare with 0 and 0 after 250 ms. Such an answer is unknown unless the
// management API agrees, or says that the queue is a classic one.
func (b *Broker) Depth(ctx context.Context, at broker.Address) (broker.Depth, error) {
	if err := foreign(at); err != nil {
		return broker.Depth{}, err
	}
	if at.Queue == "" {
		return broker.Depth{}, fmt.Errorf("only a queue has a depth: %w", broker.ErrUnsupported)
	}
	counted, err := b.probes.count(ctx, at.Queue)
	if err != nil {
		return broker.Depth{}, err
	}
	d := broker.Depth{Ready: broker.Counted(int64(counted.Messages)), At: time.Now()}
	others := int64(counted.Consumers) - b.consumers.here(at.Queue)
	certain := true // what the others are; one that has just come to where there have been carriers may be another of them
	known := counted.Messages != 0 || counted.Consumers != 0

	if b.management != nil {
		info, err := b.history.read(ctx, b.pool, b.management, b.config.VHost, at.Queue)
		b.complain(err)
		if err == nil {
			known = known || info.Type == "classic" || info.empty()
			if info.Unacked != nil {
				d.Unacked = broker.Counted(*info.Unacked)
			}
			d.OldestAtLeast, d.OldestAtMost = info.least, info.most
			carriers, told := b.consumers.elsewhere(at.Queue, info.queue)
			certain = !info.carried || told == others
			others -= carriers
		}
	}
	if !known {
		d.Ready = broker.Count{}
		return d, nil
	}
	if certain {
		d.Consumers = broker.Counted(max(others, 0))
	}
	if d.Ready.N == 0 && d.OldestAtMost.Known {
		d.OldestAtLeast, d.OldestAtMost = broker.Aged(0), broker.Aged(0)
	}
	return d, nil
}

// empty: the management API knows of nothing ready and nobody consuming.
func (q *queue) empty() bool {
	return q.Ready != nil && *q.Ready == 0 && q.Consumers != nil && *q.Consumers == 0
}

// complain logs when the management API fails, and when it is back.
func (b *Broker) complain(err error) {
	if errors.Is(err, context.Canceled) || b.failing.Swap(err != nil) == (err != nil) {
		return
	}
	if err != nil {
		b.log.Warn("management API fails: unacked messages, ages and the consumers of other gateways are unknown", "error", err)
	} else {
		b.log.Info("management API answers again")
	}
}

// consumers are those of this process, by queue and tag.
type consumers struct {
	mu   sync.Mutex
	tags map[string]map[string]bool
}

func (c *consumers) add(queue, tag string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tags == nil {
		c.tags = make(map[string]map[string]bool)
	}
	if c.tags[queue] == nil {
		c.tags[queue] = make(map[string]bool)
	}
	c.tags[queue][tag] = true
}

func (c *consumers) remove(queue, tag string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.tags[queue], tag)
	if len(c.tags[queue]) == 0 {
		delete(c.tags, queue)
	}
}

// here counts those of this process.
func (c *consumers) here(queue string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.tags[queue]))
}

// elsewhere counts the consumers that the management API tells of and that are not of this process; carriers among them
// are those of other gateways and of the federation plugin.
func (c *consumers) elsewhere(queue string, info queue) (carriers, all int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, consumer := range info.Details {
		if c.tags[queue][consumer.Tag] {
			continue
		}
		all++
		if consumer.carries() {
			carriers++
		}
	}
	return carriers, all
}

// carries: by its tag it moves messages from broker to broker.
func (c consumer) carries() bool {
	return slices.ContainsFunc(carriers[:], func(prefix string) bool { return strings.HasPrefix(c.Tag, prefix) })
}
