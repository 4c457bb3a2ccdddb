package jetstream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// depths keeps readings for depthAge, so that many who watch one consumer cost the server one question. The zero value
// is empty.
type depths struct {
	mu sync.Mutex
	of map[broker.Address]*depthOf
}

// depthOf is what is known of one address.
type depthOf struct {
	turn    chan struct{} // held by the one that asks
	last    broker.Depth
	read    time.Time
	floor   uint64    // up to which everything is settled,
	oldest  time.Time // and when the next message was stored
	created time.Time
}

// depthAge is short, because queue links read the depth again for each batch.
const depthAge = 100 * time.Millisecond

// Depth implements broker.Broker for a queue and for a stream's consumer, and for a stream without one. Consumers are the
// pull requests that wait at the server, less those of gateways: a client has one or two, and none while it is busy. What
// others have given back and nobody has received yet counts as unacked. The age of the oldest message is exact.
func (b *Broker) Depth(ctx context.Context, at broker.Address) (broker.Depth, error) {
	d := b.depths.at(at)
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return broker.Depth{}, ctx.Err()
	}
	if time.Since(d.read) < depthAge {
		return d.last, nil
	}
	depth, err := b.depth(ctx, at, d)
	if err != nil {
		return broker.Depth{}, fmt.Errorf("depth of %v on %s: %w", at, b.config.Name, err)
	}
	d.last, d.read = depth, time.Now()
	return depth, nil
}

func (d *depths) at(at broker.Address) *depthOf {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = map[broker.Address]*depthOf{}
	}
	of := d.of[at]
	if of == nil {
		of = &depthOf{turn: make(chan struct{}, 1)}
		d.of[at] = of
	}
	return of
}

func (b *Broker) depth(ctx context.Context, at broker.Address, d *depthOf) (broker.Depth, error) {
	stream, consumer := at.Stream, at.Consumer
	switch {
	case at.Exchange != "" && at.Queue != "":
		stream, consumer = b.names.exchangeStream(at.Exchange), b.names.durable(at.Queue)
	case at.Queue != "":
		stream, consumer = b.names.queueStream(at.Queue), b.names.durable(at.Queue)
	case stream == "":
		return broker.Depth{}, fmt.Errorf("only queues, streams and their consumers have one: %w", broker.ErrUnsupported)
	case consumer == "":
		return b.streamDepth(ctx, stream)
	}
	begin := time.Now()
	info, err := b.consumerInfo(ctx, stream, consumer)
	if err != nil {
		return broker.Depth{}, err
	}
	waiting := info.NumWaiting - b.ownRequests(stream, consumer)
	if waiting > 0 {
		others, err := b.pullsOfOthers(ctx, stream, consumer, time.Since(begin))
		if err != nil {
			return broker.Depth{}, err
		}
		waiting -= others
	}
	back := b.returned.ready(place{stream: stream, consumer: consumer}.key(), info)
	depth := broker.Depth{
		Ready:     broker.Counted(int64(info.NumPending) + int64(back)),
		Unacked:   broker.Counted(int64(info.NumAckPending - back)),
		Consumers: broker.Counted(int64(max(0, waiting))),
		At:        time.Now(),
	}
	age := broker.Aged(0)
	if info.NumPending > 0 || info.NumAckPending > 0 {
		age = b.oldest(ctx, info, d)
	}
	depth.OldestAtLeast, depth.OldestAtMost = age, age
	return depth, nil
}

// oldest is the age of the first message that is not settled. Reading it costs the message itself, so it is read again
// only once that one is settled.
func (b *Broker) oldest(ctx context.Context, info *jetstream.ConsumerInfo, d *depthOf) broker.Age {
	floor := info.AckFloor.Stream
	if d.oldest.IsZero() || d.floor != floor || !d.created.Equal(info.Created) {
		stored, err := b.firstAfter(ctx, info, floor)
		if err != nil {
			d.oldest = time.Time{}
			return broker.Age{}
		}
		d.oldest, d.floor, d.created = stored, floor, info.Created
	}
	return broker.Aged(max(0, info.TimeStamp.Sub(d.oldest)))
}

// firstAfter is when the first message after a sequence was stored that the consumer wants.
func (b *Broker) firstAfter(ctx context.Context, info *jetstream.ConsumerInfo, floor uint64) (first time.Time, err error) {
	filters := filtersOf(info)
	if len(filters) == 0 {
		filters = []string{">"}
	}
	for _, filter := range filters {
		question := map[string]any{"seq": floor + 1, "next_by_subj": filter}
		var answer struct {
			Error   *jetstream.APIError `json:"error"`
			Message struct {
				Time time.Time `json:"time"`
			} `json:"message"`
		}
		if err := b.request(ctx, "STREAM.MSG.GET."+info.Stream, question, &answer); err != nil {
			return first, err
		}
		if answer.Error != nil {
			err = answer.Error
		} else if stored := answer.Message.Time; first.IsZero() || stored.Before(first) {
			first = stored
		}
	}
	if first.IsZero() {
		return first, err
	}
	return first, nil
}

func (b *Broker) streamDepth(ctx context.Context, name string) (broker.Depth, error) {
	info, err := b.streamInfo(ctx, name)
	if err != nil {
		return broker.Depth{}, err
	}
	age := broker.Aged(0)
	if info.State.Msgs > 0 {
		age = broker.Aged(max(0, info.TimeStamp.Sub(info.State.FirstTime)))
	}
	return broker.Depth{Ready: broker.Counted(int64(info.State.Msgs)), OldestAtLeast: age, OldestAtMost: age, At: time.Now()}, nil
}

// ownRequests counts the pull requests of this Broker's sessions.
func (b *Broker) ownRequests(stream, consumer string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for s := range b.sessions {
		if s, ok := s.(*Source); ok && s.at.stream == stream && s.at.consumer == consumer {
			s.mu.Lock()
			n += len(s.requests.open)
			s.mu.Unlock()
		}
	}
	return n
}
