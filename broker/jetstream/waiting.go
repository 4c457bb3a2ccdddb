package jetstream

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

const listAtOnce = 16 // requests on their way, when many streams are read

// Waiting implements broker.Buffers.
func (b *Broker) Waiting(ctx context.Context, prefix string) ([]broker.Waiting, error) {
	var all []broker.Waiting
	err := b.eachBuffer(ctx, func(exchange, name string, info *jetstream.ConsumerInfo) {
		if strings.HasPrefix(name, prefix) {
			all = append(all, broker.Waiting{Name: name, Exchange: exchange, Messages: broker.Counted(held(info))})
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list buffers: %w", err)
	}
	return all, nil
}

// held is how many messages a consumer has, delivered ones too.
func held(info *jetstream.ConsumerInfo) int64 {
	return int64(info.NumPending) + int64(info.NumAckPending)
}

// eachBuffer calls f with every buffer in the vhost, one after the other.
func (b *Broker) eachBuffer(ctx context.Context, f func(exchange, name string, info *jetstream.ConsumerInfo)) error {
	exchanges, err := b.named(ctx, "x")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var reading sync.WaitGroup
	free := make(chan struct{}, listAtOnce)
	for _, exchange := range exchanges {
		free <- struct{}{}
		reading.Go(func() {
			defer func() { <-free }()
			consumers, err := b.consumers(ctx, b.names.exchangeStream(exchange))
			if err != nil && !isNotFound(err) { // it may just have been deleted
				cancel(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for _, info := range consumers {
				if name, is := bufferName(info); is {
					f(exchange, name, info)
				}
			}
		})
	}
	reading.Wait()
	return context.Cause(ctx)
}

// DeleteBuffer implements broker.Disposer. JetStream cannot delete on a condition: what is published between the look at
// the buffer and its end is lost if it is still bound.
func (b *Broker) DeleteBuffer(ctx context.Context, name string, force bool) error {
	var found []*jetstream.ConsumerInfo
	err := b.eachBuffer(ctx, func(_, other string, info *jetstream.ConsumerInfo) {
		if other == name {
			found = append(found, info)
		}
	})
	for _, info := range found {
		if err == nil {
			err = b.deleteBuffer(ctx, info, force)
		}
	}
	if err != nil {
		return fmt.Errorf("delete buffer %q: %w", name, err)
	}
	return nil
}

func (b *Broker) deleteBuffer(ctx context.Context, info *jetstream.ConsumerInfo, force bool) error {
	switch {
	case force:
	case held(info) > 0:
		return fmt.Errorf("it holds %d messages: %w", held(info), broker.ErrInUse)
	case info.NumWaiting > 0 || b.ownRequests(info.Stream, info.Name) > 0:
		return fmt.Errorf("somebody receives from it: %w", broker.ErrInUse)
	}
	err := b.api(ctx, info.Stream, func(ctx context.Context, js jetstream.JetStream) error {
		return js.DeleteConsumer(ctx, info.Stream, info.Name)
	})
	if isNotFound(err) {
		return nil
	}
	return err
}
