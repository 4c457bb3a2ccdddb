package jetstream

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// A buffer is a durable consumer on the stream of an exchange. Its filters cover what it is bound with (cover.go), its
// metadata say that exactly (bindings.go). What the filters let through beyond that is for the downstream to route.

const (
	bufferMark = "buffer " // begins the value of metadataKey; the buffer's name follows
	singleKey  = "weir-single-active"
	// replicasSettle is how long the replicas of an interest stream without an anchor get to learn of a binding. Nothing
	// tells when they have, and around a change they differ in what they keep (see anchor).
	replicasSettle = 250 * time.Millisecond
	skipWait       = 50 * time.Millisecond // for a look at the stream; the server ends the request by then
	skipPatience   = time.Second
	skipTries      = 3
)

// DeclareBuffer implements broker.Buffers. x-expires and x-single-active-consumer have a meaning on JetStream.
func (b *Broker) DeclareBuffer(ctx context.Context, buffer broker.Buffer) error {
	if err := b.declareBuffer(ctx, buffer); err != nil {
		return fmt.Errorf("declare buffer %q: %w", buffer.Name, err)
	}
	return nil
}

func (b *Broker) declareBuffer(ctx context.Context, buffer broker.Buffer) error {
	want, err := b.bufferConsumer(buffer)
	if err != nil {
		return err
	}
	stream, err := b.declareStream(ctx, b.exchangeStream(buffer.Exchange.Name))
	if err != nil {
		return err
	}
	if err := b.anchor(ctx, stream); err != nil {
		return err
	}
	info, err := b.declareConsumer(ctx, stream.Config.Name, want)
	if err != nil {
		return err
	}
	is := info.Config
	switch {
	case is.Metadata[metadataKey] != want.Metadata[metadataKey]:
		return fmt.Errorf("consumer %s of stream %s was not made for it: %w", info.Name, info.Stream, broker.ErrMismatch)
	case is.InactiveThreshold != want.InactiveThreshold:
		return fmt.Errorf("it expires after %v, not %v: %w", is.InactiveThreshold, want.InactiveThreshold, broker.ErrMismatch)
	case is.Metadata[singleKey] != want.Metadata[singleKey]:
		return fmt.Errorf("x-single-active-consumer differs: %w", broker.ErrMismatch)
	}
	return nil
}

// bufferConsumer is the consumer of a buffer that is bound with nothing yet.
func (b *Broker) bufferConsumer(buffer broker.Buffer) (jetstream.ConsumerConfig, error) {
	c := b.durable(b.names.durable(buffer.Name), b.names.cover(buffer.Exchange.Name, "", nil)...)
	c.Metadata = map[string]string{metadataKey: bufferMark + buffer.Name, bindingsKey: "[]"}
	c.DeliverPolicy = jetstream.DeliverNewPolicy
	if v, given := buffer.Arguments["x-expires"]; given {
		n, ok := integer(v)
		if !ok || n <= 0 {
			return c, fmt.Errorf("argument x-expires: %v: %w", v, broker.ErrUnsupported)
		}
		c.InactiveThreshold = time.Duration(n) * time.Millisecond
	}
	if single, _ := buffer.Arguments["x-single-active-consumer"].(bool); single {
		c.Metadata[singleKey] = "true"
	}
	return c, nil
}

// Bound implements broker.Buffers.
func (b *Broker) Bound(ctx context.Context, buffer broker.Buffer) ([]broker.Binding, error) {
	_, set, err := b.bound(ctx, buffer)
	if err != nil {
		return nil, fmt.Errorf("bindings of buffer %q: %w", buffer.Name, err)
	}
	return set.list(), nil
}

func (b *Broker) bound(ctx context.Context, buffer broker.Buffer) (*jetstream.ConsumerInfo, bindingSet, error) {
	info, err := b.consumerInfo(ctx, b.names.exchangeStream(buffer.Exchange.Name), b.names.durable(buffer.Name))
	if err != nil {
		return nil, nil, err
	}
	text, is := info.Config.Metadata[bindingsKey]
	if !is {
		return nil, nil, fmt.Errorf("consumer %s of stream %s is no buffer: %w", info.Name, info.Stream, broker.ErrNotFound)
	}
	set, err := decodeBindings(text)
	return info, set, err
}

// Rebind implements broker.Buffers. It is one update of the consumer, which each server takes as a whole: at no moment
// is there less than what is kept. Gateways that do this at once take turns.
func (b *Broker) Rebind(ctx context.Context, buffer broker.Buffer, add, remove []broker.Binding) error {
	if err := b.rebind(ctx, buffer, add, remove); err != nil {
		return fmt.Errorf("bind buffer %q: %w", buffer.Name, err)
	}
	return nil
}

func (b *Broker) rebind(ctx context.Context, buffer broker.Buffer, add, remove []broker.Binding) error {
	_, set, err := b.bound(ctx, buffer)
	if err != nil {
		return err
	}
	if _, changes, err := set.with(add, remove); err != nil || !changes {
		return err
	}
	held, release, err := b.Lock(ctx, "bind "+buffer.Name)
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(held, func() { cancel(context.Cause(held)) })()
	info, set, err := b.bound(ctx, buffer)
	if err != nil {
		return err
	}
	if len(set) == 0 {
		if err := b.skip(ctx, info); err != nil {
			return err
		}
	}
	set, changes, err := set.with(add, remove)
	if err != nil || !changes {
		return err
	}
	return b.bind(ctx, buffer.Exchange, info, set)
}

// bind has a buffer's consumer bound with set and nothing else.
func (b *Broker) bind(ctx context.Context, exchange broker.Exchange, info *jetstream.ConsumerInfo, set bindingSet) error {
	text, err := set.encode()
	if err != nil {
		return err
	}
	stream, err := b.streamInfo(ctx, info.Stream)
	if err != nil {
		return err
	}
	if err := b.anchor(ctx, stream); err != nil { // it may have been removed since it began to run
		return err
	}
	c := info.Config
	c.Metadata = maps.Clone(c.Metadata)
	c.Metadata[bindingsKey] = text
	setFilters(&c, b.names.cover(exchange.Name, exchange.Type, set.keys()))
	if _, err := b.updateConsumer(ctx, info.Stream, c); err != nil {
		return err
	}
	return settle(ctx, stream)
}

// skip has the consumer of a buffer that is bound with nothing step over what is in the stream. Where it stands it would
// find that again once it wants more, and a binding is no claim on what was published before. It needs a pull request for
// that, which cannot get a message. Nobody promises that one is answered; without an answer older messages may come, as
// they may if nobody has received from a bound buffer for a while.
func (b *Broker) skip(ctx context.Context, info *jetstream.ConsumerInfo) error {
	at := b.place(info)
	return b.call(ctx, info.Stream, func(ctx context.Context, c *conn) error {
		for range skipTries {
			soon, cancel := context.WithTimeout(ctx, skipPatience)
			_, err := c.nats.RequestWithContext(soon, at.next, request{messages: 1}.appendJSON(nil, skipWait, at))
			cancel()
			if err == nil || ctx.Err() != nil {
				break
			}
		}
		return ctx.Err()
	})
}

// settle waits until all replicas of an interest stream without an anchor know of a binding.
func settle(ctx context.Context, stream *jetstream.StreamInfo) error {
	c := stream.Config
	if c.Retention != jetstream.InterestPolicy || c.Replicas < 2 || c.Metadata[metadataKey] != "" {
		return nil
	}
	select {
	case <-time.After(replicasSettle):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
