package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// An anchor is a consumer on the stream of an exchange that wants everything and settles it when it is anchorAge old.
// Each replica of an interest stream decides for itself, when it stores a message, whether anybody wants it. Around a
// change of bindings they differ, and a confirmed message can be gone with the one replica that kept it. With an anchor
// all of them keep it for a while. What nobody but the anchor wanted was unroutable, which is logged.
//
// The anchor of an exchange that this Broker sends to runs until the Broker closes; several gateways share the work.
// While nobody runs it the server removes it after anchorIdle, so that it does not hold up the stream.
type anchor struct {
	b                *Broker
	stream, exchange string
	consumer         jetstream.ConsumerConfig
	listeners        *listeners

	unroutable uint64
	logged     time.Time
}

const (
	anchorName  = "weir-anchor"
	anchorAge   = 5 * time.Second
	anchorIdle  = 5 * time.Minute
	anchorBatch = 1000
	anchorQuiet = 100 * time.Millisecond // without a further message, before those that are old enough are acked
	anchorRetry = time.Second
	anchorLog   = time.Minute // at most one line in this time
)

// anchor makes the anchor of a stream that weir has made for an exchange, and begins to run it. Any other stream is left
// alone.
func (b *Broker) anchor(ctx context.Context, stream *jetstream.StreamInfo) error {
	exchange, made := strings.CutPrefix(stream.Config.Metadata[metadataKey], "exchange ")
	if !made {
		return nil
	}
	a := &anchor{b: b, stream: stream.Config.Name, exchange: exchange, consumer: jetstream.ConsumerConfig{
		Durable: anchorName, Metadata: map[string]string{metadataKey: "anchor"}, InactiveThreshold: anchorIdle, HeadersOnly: true,
		AckPolicy: jetstream.AckAllPolicy, AckWait: b.config.ackWait(), MaxAckPending: 16 * anchorBatch, MaxDeliver: -1,
	}}
	if _, err := b.declareConsumer(ctx, a.stream, a.consumer); err != nil {
		return err
	}
	a.listeners = b.listenersOf(a.stream)
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, runs := b.anchors[a.stream]; !runs && !b.closed {
		b.anchors[a.stream] = struct{}{}
		b.running.Go(a.run)
	}
	return nil
}

func (a *anchor) run() {
	ctx := a.b.ctx
	for {
		err := a.settle(ctx)
		if ctx.Err() != nil {
			return
		}
		a.b.log.Debug("anchor is interrupted", "stream", a.stream, "error", err)
		wait := anchorRetry
		if isNotFound(err) { // the stream is gone; it may come again
			wait = reconcileEvery
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// settle acks what is old enough until something fails.
func (a *anchor) settle(ctx context.Context) error {
	info, err := a.b.declareConsumer(ctx, a.stream, a.consumer)
	if err != nil {
		return err
	}
	ahead := time.Until(info.TimeStamp) // of the server's clock; what the answer took makes it an age of more, not less
	c, err := a.b.receiving.acquire(ctx, false)
	if err != nil {
		return err
	}
	defer a.b.receiving.release(c)
	consumer, err := c.js.Consumer(ctx, a.stream, anchorName)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(anchorBatch))
	if err != nil {
		return err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()

	var old jetstream.Msg // the last one that can be acked, with all before it
	for n := 0; ; n++ {
		m, err := next(messages, old != nil)
		if err != nil && !errors.Is(err, nats.ErrTimeout) {
			return err
		}
		var wait time.Duration
		if m != nil {
			d, err := m.Metadata()
			if err != nil {
				return fmt.Errorf("a message without metadata: %w", err)
			}
			wait = time.Until(d.Timestamp.Add(anchorAge - ahead))
		}
		if old != nil && (m == nil || wait > 0 || n%anchorBatch == 0) {
			if err := old.Ack(); err != nil {
				return err
			}
			old = nil
		}
		if m == nil {
			continue
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		a.account(m.Subject())
		old = m
	}
}

// next waits for a message, and only for anchorQuiet if something is to be done without one.
func next(messages jetstream.MessagesContext, hurry bool) (jetstream.Msg, error) {
	if hurry {
		return messages.Next(jetstream.NextMaxWait(anchorQuiet))
	}
	return messages.Next()
}

// account counts a message that nobody wanted. Most of those are native publishers'; to a sink they are unroutable.
func (a *anchor) account(subject string) {
	if wanted := a.listeners.last(); wanted == nil || wanted.wants(subject) {
		return
	}
	a.unroutable++
	if time.Since(a.logged) < anchorLog {
		return
	}
	a.b.log.Warn("messages to an exchange have reached no consumer", "exchange", a.exchange, "stream", a.stream,
		"messages", a.unroutable, "last-subject", subject)
	a.logged, a.unroutable = time.Now(), 0
}
