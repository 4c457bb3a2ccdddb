package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// metadataKey marks what weir has created, with what it stands for.
const metadataKey = "weir"

// maxAckPending of created consumers is above any window, also of several gateways on one consumer.
const maxAckPending = 1 << 16

// queueStream is the stream of a queue: every message goes to one consumer and is removed when settled. What comes when
// it is full is refused.
func (b *Broker) queueStream(queue string, args broker.Table) (jetstream.StreamConfig, error) {
	c := b.stream(b.names.queueStream(queue), b.names.subject("", queue), "queue "+queue)
	c.Retention = jetstream.WorkQueuePolicy
	return c, b.applyArguments(&c, args)
}

// exchangeStream is the stream of an exchange: it keeps a message until every consumer whose filter matches has settled
// it.
func (b *Broker) exchangeStream(exchange string) jetstream.StreamConfig {
	c := b.stream(b.names.exchangeStream(exchange), b.names.exchangeSubjects(exchange), "exchange "+exchange)
	c.Retention = jetstream.InterestPolicy
	return c
}

func (b *Broker) stream(name, subject, meaning string) jetstream.StreamConfig {
	s := b.config.Streams
	c := jetstream.StreamConfig{
		Name: name, Subjects: []string{subject}, Metadata: map[string]string{metadataKey: meaning},
		Discard: jetstream.DiscardNew, MaxBytes: -1, Replicas: s.Replicas, Duplicates: s.DuplicateWindow,
	}
	if s.MaxBytes > 0 {
		c.MaxBytes = s.MaxBytes
	}
	if s.Storage == "memory" {
		c.Storage = jetstream.MemoryStorage
	}
	return c
}

// durable is a pull consumer that weir creates. Its messages come again after the ack wait, as often as need be.
func (b *Broker) durable(name string, filters ...string) jetstream.ConsumerConfig {
	c := jetstream.ConsumerConfig{
		Durable: name, Metadata: map[string]string{metadataKey: "source"},
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: b.config.ackWait(), MaxAckPending: maxAckPending, MaxDeliver: -1,
	}
	setFilters(&c, filters)
	return c
}

func setFilters(c *jetstream.ConsumerConfig, filters []string) {
	c.FilterSubject, c.FilterSubjects = "", nil
	if len(filters) == 1 {
		c.FilterSubject = filters[0]
	} else {
		c.FilterSubjects = filters
	}
}

// declareStream returns the stream as it is, or creates it.
func (b *Broker) declareStream(ctx context.Context, c jetstream.StreamConfig) (*jetstream.StreamInfo, error) {
	info, err := b.streamInfo(ctx, c.Name)
	if !isNotFound(err) {
		return info, err
	}
	err = b.api(ctx, c.Name, func(ctx context.Context, js jetstream.JetStream) error {
		s, err := js.CreateStream(ctx, c)
		if err == nil {
			info = s.CachedInfo()
		}
		return err
	})
	switch {
	case code(err) == codeStreamExists: // somebody was faster, with settings of their own
		return b.streamInfo(ctx, c.Name)
	case err != nil:
		return nil, fmt.Errorf("create stream %s for %s: %w", c.Name, c.Metadata[metadataKey], err)
	}
	b.log.Info("created stream", "stream", c.Name, "for", c.Metadata[metadataKey])
	return info, nil
}

// declareConsumer returns the consumer as it is, or creates it.
func (b *Broker) declareConsumer(ctx context.Context, stream string, c jetstream.ConsumerConfig) (*jetstream.ConsumerInfo, error) {
	info, err := b.consumerInfo(ctx, stream, c.Durable)
	if !isNotFound(err) {
		return info, err
	}
	err = b.api(ctx, stream, func(ctx context.Context, js jetstream.JetStream) error {
		made, err := js.CreateConsumer(ctx, stream, c)
		if err == nil {
			info = made.CachedInfo()
		}
		return err
	})
	switch {
	case code(err) == codeConsumerExists:
		return b.consumerInfo(ctx, stream, c.Durable)
	case err != nil:
		return nil, fmt.Errorf("create consumer %s of stream %s: %w", c.Durable, stream, err)
	}
	b.log.Info("created consumer", "stream", stream, "consumer", c.Durable)
	return info, nil
}

// updateConsumer changes a consumer that is a session's own.
func (b *Broker) updateConsumer(ctx context.Context, stream string, c jetstream.ConsumerConfig) (info *jetstream.ConsumerInfo, err error) {
	err = b.api(ctx, stream, func(ctx context.Context, js jetstream.JetStream) error {
		made, err := js.UpdateConsumer(ctx, stream, c)
		if err == nil {
			info = made.CachedInfo()
		}
		return err
	})
	return info, err
}
