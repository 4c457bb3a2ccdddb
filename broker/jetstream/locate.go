package jetstream

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

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
	return nil, nil, fmt.Errorf("name a queue, an exchange or a stream: %w", broker.ErrUnsupported)
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
	consumer, err := b.declareOwn(ctx, stream.Config.Name, c, filters)
	return stream, consumer, err
}

func (b *Broker) locateExchange(ctx context.Context, exchange string, predeclared bool) (*jetstream.StreamInfo, error) {
	config := b.exchangeStream(exchange)
	if predeclared {
		return b.existingStream(ctx, config.Name)
	}
	return b.declareStream(ctx, config)
}

// locateConsumer takes a consumer in NATS' words. The stream must exist; nobody but its owner knows what belongs in it. A
// consumer that exists is taken as it is, except one of the link's own, whose filter is the subject of today.
func (b *Broker) locateConsumer(ctx context.Context, at broker.Address, o broker.SourceOptions) (*jetstream.StreamInfo, *jetstream.ConsumerInfo, error) {
	var stream *jetstream.StreamInfo
	var err error
	if at.Stream != "" {
		stream, err = b.existingStream(ctx, at.Stream)
	} else {
		stream, err = b.capturing(ctx, at.Subject)
	}
	if err != nil {
		return nil, nil, err
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
	if at.Consumer == "" {
		consumer, err := b.declareOwn(ctx, stream.Config.Name, c, filters)
		return stream, consumer, err
	}
	consumer, err := b.declareConsumer(ctx, stream.Config.Name, c)
	if err == nil && at.Subject != "" && !slices.Equal(filtersOf(consumer), filters) {
		b.log.Warn("the consumer exists and does not filter by this subject; it is used as it is",
			"stream", stream.Config.Name, "consumer", name, "filters", filtersOf(consumer), "subject", at.Subject)
	}
	return stream, consumer, err
}

// declareOwn is declareConsumer for one that nobody else uses. Filters that have changed since it was made are changed.
func (b *Broker) declareOwn(ctx context.Context, stream string, c jetstream.ConsumerConfig, filters []string) (*jetstream.ConsumerInfo, error) {
	info, err := b.declareConsumer(ctx, stream, c)
	if err != nil || slices.Equal(filtersOf(info), filters) {
		return info, err
	}
	c = info.Config
	setFilters(&c, filters)
	return b.updateConsumer(ctx, stream, c)
}
