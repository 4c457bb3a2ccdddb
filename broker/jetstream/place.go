package jetstream

import (
	"context"
	"fmt"
	"slices"
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

// locate finds, or declares, where to receive from.
func (b *Broker) locate(ctx context.Context, at broker.Address, o broker.SourceOptions) (*jetstream.StreamInfo, *jetstream.ConsumerInfo, error) {
	switch {
	case o.Buffer:
		return b.existing(ctx, b.names.exchangeStream(at.Exchange), b.names.durable(at.Queue))
	case at.Exchange != "":
		return b.locateBinding(ctx, at, o)
	case at.Queue != "":
		return b.locateQueue(ctx, at.Queue, o.Predeclared, o.DeclareArgs)
	case at.Stream != "" || at.Subject != "":
		return b.locateConsumer(ctx, at, o)
	}
	return nil, nil, fmt.Errorf("receive from %v: name a queue, an exchange or a stream: %w", at, broker.ErrUnsupported)
}

func (b *Broker) locateQueue(ctx context.Context, queue string, predeclared bool, args broker.Table) (*jetstream.StreamInfo, *jetstream.ConsumerInfo, error) {
	config, err := b.queueStream(queue, args)
	if err != nil {
		return nil, nil, err
	}
	c := b.durable(b.names.durable(queue))
	if predeclared {
		return b.existing(ctx, config.Name, c.Durable)
	}
	stream, err := b.declareStream(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	consumer, err := b.declareConsumer(ctx, config.Name, c)
	return stream, consumer, err
}

func (b *Broker) existingStream(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	info, err := b.streamInfo(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	return info, nil
}

func (b *Broker) existing(ctx context.Context, stream, consumer string) (*jetstream.StreamInfo, *jetstream.ConsumerInfo, error) {
	s, err := b.existingStream(ctx, stream)
	if err != nil {
		return nil, nil, err
	}
	c, err := b.consumerInfo(ctx, stream, consumer)
	if err != nil {
		return nil, nil, fmt.Errorf("consumer %s of stream %s: %w", consumer, stream, err)
	}
	return s, c, nil
}

// locateBinding receives from an exchange through a durable of the link's own, named after the address's queue, as from a
// queue bound with the key. A key that has changed since changes its filters. Without a key everything comes: an exchange of
// JetStream has no type, and is in this like a fanout.
func (b *Broker) locateBinding(ctx context.Context, at broker.Address, o broker.SourceOptions) (*jetstream.StreamInfo, *jetstream.ConsumerInfo, error) {
	key := at.RoutingKey
	if key == "" {
		key = "#"
	}
	filters, err := b.names.filters(at.Exchange, key)
	if err != nil {
		return nil, nil, err
	}
	stream, err := b.locateExchange(ctx, at.Exchange, o.Predeclared)
	if err != nil {
		return nil, nil, err
	}
	if err := b.anchor(ctx, stream); err != nil {
		return nil, nil, err
	}
	own := at.Queue
	if own == "" {
		own = "weir: shovel " + o.Site + "/" + o.Link
	}
	c := b.durable(b.names.durable(own), filters...)
	c.DeliverPolicy = jetstream.DeliverNewPolicy
	consumer, err := b.declareConsumer(ctx, stream.Config.Name, c)
	if err == nil && !slices.Equal(filtersOf(consumer), filters) {
		changed := consumer.Config
		setFilters(&changed, filters)
		consumer, err = b.updateConsumer(ctx, stream.Config.Name, changed)
	}
	return stream, consumer, err
}

func (b *Broker) locateExchange(ctx context.Context, exchange string, predeclared bool) (*jetstream.StreamInfo, error) {
	config := b.exchangeStream(exchange)
	if predeclared {
		return b.existingStream(ctx, config.Name)
	}
	return b.declareStream(ctx, config)
}

// locateConsumer takes a consumer in NATS' words. The stream must exist; nobody but its owner knows what belongs in it.
func (b *Broker) locateConsumer(ctx context.Context, at broker.Address, o broker.SourceOptions) (*jetstream.StreamInfo, *jetstream.ConsumerInfo, error) {
	var stream *jetstream.StreamInfo
	var err error
	if at.Stream != "" {
		stream, err = b.streamInfo(ctx, at.Stream)
	} else {
		stream, err = b.capturing(ctx, at.Subject)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%v: %w", at, err)
	}
	name := at.Consumer
	if name == "" {
		name = b.names.durable("weir: " + o.Site + "/" + o.Link)
	}
	if o.Predeclared {
		return b.existing(ctx, stream.Config.Name, name)
	}
	var filters []string
	if at.Subject != "" {
		filters = []string{at.Subject}
	}
	c := b.durable(name, filters...)
	if err := applyStart(&c, o.ConsumerArgs); err != nil {
		return nil, nil, err
	}
	consumer, err := b.declareConsumer(ctx, stream.Config.Name, c)
	return stream, consumer, err
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
