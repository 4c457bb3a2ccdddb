package amqp

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"weir/broker"
)

// storeEvery is how often an offset that has moved is stored. What was settled since comes again after a crash.
const storeEvery = time.Second

// stream is the source of a stream. It remembers, on the broker, up to where everything has been settled, and goes on
// from there when it is opened again. Nothing can be given back to a stream: a message that was returned comes again,
// with all after it, when the source is opened again.
type stream struct {
	*source
	offsets *offsets

	end       context.CancelFunc // ends keep
	ended     chan struct{}      // keep has ended
	closeOnce sync.Once
	closeErr  error

	mu    sync.Mutex
	floor floor
}

// openStream begins to consume where the link has stopped.
func (b *Broker) openStream(ctx context.Context, s *source, o broker.SourceOptions) (*stream, error) {
	store, err := b.openOffsets(ctx, o)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	last, known, err := store.read(ctx)
	if err == nil {
		if known {
			s.args = maps.Clone(s.args)
			if s.args == nil {
				s.args = make(map[string]any)
			}
			s.args[streamOffset] = last + 1
		}
		err = s.begin(o.Window)
	}
	if err != nil {
		_ = store.close()
		_ = s.Close()
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	st := &stream{source: s, offsets: store, end: end, ended: make(chan struct{})}
	b.pool.running.Go(func() { st.keep(ctx) })
	return st, nil
}

// keep stores the offset as it moves. If it cannot, the session ends: it would read the same again and again.
func (s *stream) keep(ctx context.Context) {
	defer close(s.ended)
	tick := time.NewTicker(storeEvery)
	defer tick.Stop()
	stored, known := int64(0), false // of this session
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		offset, ok := s.settled()
		if !ok || known && offset == stored {
			continue
		}
		if err := s.offsets.write(ctx, offset); err != nil {
			if ctx.Err() == nil {
				s.broker.log.Warn("stream offset not stored", "link", s.link, "error", err)
				_ = s.ch.Close()
			}
			return
		}
		stored, known = offset, true
	}
}

func (s *stream) settled() (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.floor.settled()
}

// Receive implements broker.Source.
func (s *stream) Receive(ctx context.Context) (*broker.Message, error) {
	m, err := s.source.Receive(ctx)
	if err != nil {
		return nil, err
	}
	offset := take(m.Headers, streamOffset)
	if len(m.Headers) == 0 {
		m.Headers = nil
	}
	m.Origin.Sequence = uint64(offset)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.floor.received(m.Tag, offset)
	return m, nil
}

// Ack implements broker.Source.
func (s *stream) Ack(last *broker.Message) error {
	if err := s.source.Ack(last); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.floor.ack(last.Tag)
	return nil
}

// Settle implements broker.Source.
func (s *stream) Settle(m *broker.Message, how broker.Settlement) error {
	if err := s.source.Settle(m, how); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.floor.settle(m.Tag, how)
	return nil
}

// Close implements broker.Source. It stores the offset first.
func (s *stream) Close() error {
	s.closeOnce.Do(func() {
		s.end()
		<-s.ended
		var stored error
		if offset, ok := s.settled(); ok {
			ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
			defer cancel()
			stored = s.offsets.write(ctx, offset)
		}
		s.closeErr = errors.Join(stored, s.offsets.close(), s.source.Close())
	})
	return s.closeErr
}
