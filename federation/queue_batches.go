package federation

import (
	"context"
	"fmt"
	"sync"
	"time"

	"weir/broker"
)

// batches is the source of a queue link: a broker whose sources deliver a batch, and more only when that has been consumed
// downstream. What has arrived there is acked at the upstream only then, so the upstream itself keeps to the batch, which
// is the window of the consumer.
type batches struct {
	broker.Broker
	memory int64         // of all that is in hand, in bytes
	news   chan struct{} // cap 1: a batch has been used up, or messages come after a pause

	mu      sync.Mutex
	most    int           // the largest batch that is allowed
	size    int           // of the next one
	granted chan struct{} // closed once the next source may be opened
	session int           // how many sources have been closed
	source  *batchSource  // nil: none is open

	landed   int64 // messages that have arrived downstream
	consumed int64 // of them, those that were no longer ready there at some later reading
	count    int64 // messages received
	bytes    int64
	moved    time.Time // when the last one was received
}

func newBatches(b broker.Broker, most int, memory int64) *batches {
	return &batches{Broker: b, most: most, memory: memory, news: make(chan struct{}, 1), granted: make(chan struct{})}
}

// mark is a moment: what had been forwarded before a reading was begun.
type mark struct {
	session int
	landed  int64
	progress
}

// mark is asked for before a depth is read.
func (b *batches) mark() mark {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := mark{session: b.session, landed: b.landed}
	if s := b.source; s != nil {
		m.progress = s.progress()
	}
	return m
}

// grant says that all that had been forwarded at a mark has been consumed and that more is wanted, in batches of a size.
func (b *batches) grant(ctx context.Context, m mark, size int) {
	b.mu.Lock()
	s := b.source
	if m.session != b.session {
		b.mu.Unlock()
		return // what the source before has forwarded since is not accounted for
	}
	b.size = size
	b.allow()
	b.mu.Unlock()
	if s != nil {
		s.next(ctx, m, size)
	}
}

func (b *batches) allow() {
	select {
	case <-b.granted:
	default:
		close(b.granted)
	}
}

// expire: no source may be opened before the next grant.
func (b *batches) expire() {
	b.session++
	select {
	case <-b.granted:
		b.granted = make(chan struct{})
	default:
	}
}

// gone notes that what had landed at a mark is no longer ready downstream.
func (b *batches) gone(m mark) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.consumed = max(b.consumed, m.landed)
}

// largest is the largest batch that memory allows.
func (b *batches) largest() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes == 0 || b.memory == 0 {
		return b.most
	}
	mean := float64(b.bytes) / float64(b.count)
	return max(min(b.most, int(float64(b.memory)/mean)), 1)
}

// batchStatus is what an operator sees.
type batchStatus struct {
	size     int   // of the batch in force
	stranded int64 // at most so many of what was forwarded lie ready downstream, as far as readings have told
	moved    time.Time
}

func (b *batches) status() batchStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := batchStatus{size: b.size, stranded: b.landed - b.consumed, moved: b.moved}
	if b.source != nil {
		s.size = b.source.batch
	}
	return s
}

// OpenSource implements broker.Broker. It waits for a grant, because nobody knows where those messages are that a source
// before has forwarded last.
func (b *batches) OpenSource(ctx context.Context, at broker.Address, o broker.SourceOptions) (broker.Source, error) {
	b.mu.Lock()
	granted := b.granted
	b.mu.Unlock()
	select {
	case <-granted:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait until the last batch has been consumed downstream: %w", ctx.Err())
	}
	b.mu.Lock()
	o.Window = max(b.size, 1)
	b.mu.Unlock()
	source, err := b.Broker.OpenSource(ctx, at, o)
	if err != nil {
		return nil, err
	}
	s := &batchSource{Source: source, of: b, batch: o.Window, window: o.Window}
	b.mu.Lock()
	b.source = s
	b.mu.Unlock()
	return s, nil
}

// tell wakes the gate.
func (b *batches) tell() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}
