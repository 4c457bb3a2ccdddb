package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// manager keeps the one connection on which a Broker makes and reads streams and consumers, so that this never waits
// behind messages.
type manager struct {
	turn chan struct{} // held by the one that dials
	mu   sync.Mutex
	conn *conn
}

// manage returns that connection, which it dials first if need be.
func (b *Broker) manage(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case b.manager.turn <- struct{}{}:
		defer func() { <-b.manager.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-b.ctx.Done():
		return nil, errClosed
	}
	if c := b.manager.live(); c != nil {
		return c, nil
	}
	if b.ctx.Err() != nil {
		return nil, errClosed
	}
	c, err := b.dial(ctx, "manage")
	if err != nil {
		return nil, err
	}
	b.manager.mu.Lock()
	defer b.manager.mu.Unlock()
	b.manager.conn = c
	return c, nil
}

func (m *manager) live() *conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn == nil || m.conn.dead() {
		return nil
	}
	return m.conn
}

func (m *manager) close() {
	m.turn <- struct{}{} // nobody dials any more
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil {
		m.conn.close()
	}
}

// api calls the JetStream API. resource is a part of the subject of the request, such as the name of the stream.
func (b *Broker) api(ctx context.Context, resource string, request func(context.Context, jetstream.JetStream) error) error {
	return b.call(ctx, resource, func(ctx context.Context, c *conn) error { return request(ctx, c.js) })
}

// call makes a request. It is made again, once, if the connection is lost meanwhile, which may have been dead before, or if
// nobody answers: a cluster drops what comes while a leader is elected. Every request to the API can be made twice.
func (b *Broker) call(ctx context.Context, resource string, request func(context.Context, *conn) error) error {
	for again := false; ; again = true {
		c, err := b.manage(ctx)
		if err != nil {
			return err
		}
		err = c.call(ctx, resource, func(ctx context.Context) error { return request(ctx, c) })
		if again || err == nil || ctx.Err() != nil || !c.dead() && !errors.Is(err, errNoAnswer) {
			return err
		}
	}
}

// request calls the JetStream API where nats.go has no function that tells as much.
func (b *Broker) request(ctx context.Context, subject string, question, answer any) error {
	return b.call(ctx, subject, func(ctx context.Context, c *conn) error {
		data, err := json.Marshal(question)
		if err != nil {
			return err
		}
		m, err := c.nats.RequestWithContext(ctx, b.apiPrefix()+subject, data)
		if err != nil {
			return err
		}
		return json.Unmarshal(m.Data, answer)
	})
}

// streamInfo reads a stream.
func (b *Broker) streamInfo(ctx context.Context, name string) (info *jetstream.StreamInfo, err error) {
	err = b.api(ctx, name, func(ctx context.Context, js jetstream.JetStream) error {
		s, err := js.Stream(ctx, name)
		if err == nil {
			info = s.CachedInfo()
		}
		return err
	})
	return info, err
}

// consumerInfo reads a consumer of a stream.
func (b *Broker) consumerInfo(ctx context.Context, stream, name string) (info *jetstream.ConsumerInfo, err error) {
	err = b.api(ctx, stream, func(ctx context.Context, js jetstream.JetStream) error {
		c, err := js.Consumer(ctx, stream, name)
		if err == nil {
			info = c.CachedInfo()
		}
		return err
	})
	return info, err
}

// capturing is the stream that stores what is published to subject; an error of broker.ErrNotFound if none does. One with
// wildcards may be that of several streams: broker.ErrUnsupported.
func (b *Broker) capturing(ctx context.Context, subject string) (*jetstream.StreamInfo, error) {
	names, err := b.streamNames(ctx, subject)
	switch {
	case err != nil:
		return nil, err
	case len(names) == 0:
		return nil, fmt.Errorf("no stream stores %s: %w", subject, broker.ErrNotFound)
	case len(names) > 1:
		return nil, fmt.Errorf("the streams %s store %s; name one: %w", strings.Join(names, ", "), subject, broker.ErrUnsupported)
	}
	return b.streamInfo(ctx, names[0])
}
