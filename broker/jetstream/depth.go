package jetstream

import (
	"context"
	"fmt"
	"slices"
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
	oldest  time.Time // and when the next message was stored,
	exact   bool      // or one before it
	created time.Time
}

// depthAge is short, because queue links read the depth again for each batch.
const depthAge = 100 * time.Millisecond

// Depth implements broker.Broker for a queue and for a stream's consumer, and for a stream without one. Consumers are the
// pull requests that wait at the server, less those of gateways: a client has one or two, and none while it is busy. What
// others have given back and nobody has received yet counts as unacked. The age of the oldest message is exact, except behind
// many filters, where it may be known only that none is older.
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
		return broker.Depth{}, err
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
		return broker.Depth{}, fmt.Errorf("only queues, streams and their consumers have a depth: %w", broker.ErrUnsupported)
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
	depth.OldestAtLeast, depth.OldestAtMost = broker.Aged(0), broker.Aged(0)
	if info.NumPending > 0 || info.NumAckPending > 0 {
		depth.OldestAtLeast, depth.OldestAtMost = b.oldest(ctx, info, d)
	}
	return depth, nil
}

// oldest bounds the age of the first message that is not settled. Reading it costs the message itself, so it is read again
// only once that one is settled.
func (b *Broker) oldest(ctx context.Context, info *jetstream.ConsumerInfo, d *depthOf) (atLeast, atMost broker.Age) {
	floor := info.AckFloor.Stream
	if d.oldest.IsZero() || d.floor != floor || !d.created.Equal(info.Created) {
		stored, exact, err := b.firstAfter(ctx, info, floor)
		if err != nil {
			d.oldest = time.Time{}
			return atLeast, atMost
		}
		d.oldest, d.exact, d.floor, d.created = stored, exact, floor, info.Created
	}
	atMost = broker.Aged(max(0, info.TimeStamp.Sub(d.oldest)))
	if d.exact {
		atLeast = atMost
	}
	return atLeast, atMost
}

// askedEach is how many filters are asked about one by one. Each costs a round trip and a message.
const askedEach = 8

// firstAfter is when the first message after a sequence was stored that the consumer wants. Behind many filters it is the
// first one at all, and exact only if the consumer happens to want that.
func (b *Broker) firstAfter(ctx context.Context, info *jetstream.ConsumerInfo, floor uint64) (first time.Time, exact bool, err error) {
	filters := filtersOf(info)
	asked := filters
	if len(filters) == 0 || len(filters) > askedEach {
		asked = []string{">"}
	}
	for _, filter := range asked {
		question := map[string]any{"seq": floor + 1, "next_by_subj": filter}
		var answer struct {
			Error   *jetstream.APIError `json:"error"`
			Message struct {
				Subject string    `json:"subject"`
				Time    time.Time `json:"time"`
			} `json:"message"`
		}
		if err := b.request(ctx, "STREAM.MSG.GET."+info.Stream, question, &answer); err != nil {
			return first, false, err
		}
		if answer.Error != nil {
			err = answer.Error
		} else if m := answer.Message; first.IsZero() || m.Time.Before(first) {
			first = m.Time
			exact = len(filters) <= askedEach || slices.ContainsFunc(filters, func(f string) bool { return matches(f, m.Subject) })
		}
	}
	if first.IsZero() {
		return first, false, err
	}
	return first, exact, nil
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
