package jetstream

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// place is where a Source receives from: a consumer of a stream, and what it allows.
type place struct {
	stream, consumer string
	created          time.Time // when the consumer was
	next             string    // the subject of pull requests
	group            string    // the priority group that pull requests must name, if there is one
	priority         int       // in that group: 0 comes first, 9 last
	ackWait          time.Duration

	// What an existing consumer allows at most; 0: anything.
	window, batch, bytes int
	expires              time.Duration
}

// key names the consumer among all of a Broker.
func (p place) key() string { return p.stream + " " + p.consumer }

func (b *Broker) place(info *jetstream.ConsumerInfo) place {
	c := info.Config
	p := place{
		stream: info.Stream, consumer: info.Name, created: info.Created, ackWait: c.AckWait, window: max(c.MaxAckPending, 0),
		batch: c.MaxRequestBatch, bytes: c.MaxRequestMaxBytes, expires: c.MaxRequestExpires,
		next: fmt.Sprintf("%sCONSUMER.MSG.NEXT.%s.%s", b.apiPrefix(), info.Stream, info.Name),
	}
	for _, wait := range c.BackOff {
		p.ackWait = min(p.ackWait, wait)
	}
	if len(c.PriorityGroups) > 0 {
		p.group = c.PriorityGroups[0]
	}
	return p
}

// yields has a source stand behind others, if RabbitMQ's x-priority says so and the consumer knows priorities.
func (p *place) yields(info *jetstream.ConsumerInfo, args broker.Table) {
	if n, ok := integer(args["x-priority"]); ok && n < 0 && info.Config.PriorityPolicy == jetstream.PriorityPolicyPrioritized {
		p.priority = lastPriority
	}
}

const lastPriority = 9

func (b *Broker) apiPrefix() string {
	if b.config.Domain != "" {
		return "$JS." + b.config.Domain + ".API."
	}
	return "$JS.API."
}

// bounded is the window that the consumer allows.
func (p place) bounded(window int) int {
	if p.window > 0 {
		window = min(window, p.window)
	}
	return max(window, 1)
}

// limited is the request that the consumer allows.
func (p place) limited(n request) request {
	if p.batch > 0 {
		n.messages = min(n.messages, p.batch)
	}
	if p.bytes > 0 && (n.bytes > p.bytes || n.bytes == 0) {
		n.bytes = p.bytes
	}
	return n
}

func (p place) wait(wait time.Duration) time.Duration {
	if p.expires > 0 {
		return min(wait, p.expires)
	}
	return wait
}

// usable says why a session on the consumer could not keep the contract, if so.
func usable(info *jetstream.ConsumerInfo) error {
	c := info.Config
	problem := ""
	switch {
	case c.DeliverSubject != "":
		problem = "it is a push consumer; make a durable pull consumer"
	case c.AckPolicy != jetstream.AckExplicitPolicy:
		problem = fmt.Sprintf("its ack policy is %v, so sessions cannot settle what they hold and no more; it must be explicit", c.AckPolicy)
	case c.HeadersOnly:
		problem = "it delivers headers without bodies; make a consumer without headers_only"
	case c.PriorityPolicy == jetstream.PriorityPolicyPinned:
		problem = "it is pinned to one client; make a consumer without priority groups"
	default:
		return nil
	}
	return fmt.Errorf("consumer %s of stream %s: %s: %w", info.Name, info.Stream, problem, broker.ErrUnsupported)
}

// filtersOf are the subjects that a consumer wants, none if it wants all.
func filtersOf(info *jetstream.ConsumerInfo) []string {
	if f := info.Config.FilterSubject; f != "" {
		return []string{f}
	}
	return info.Config.FilterSubjects
}

// scope names a stream in Origin.Scope: one that is deleted and made again is another.
func scope(info *jetstream.StreamInfo) string {
	return fmt.Sprintf("%s@%d", info.Config.Name, info.Created.UnixNano())
}
