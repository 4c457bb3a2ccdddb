package shovel_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"weir/broker"
	"weir/broker/memory"
)

// side is one broker as one gateway sees it: its connections can be cut, and it can be killed, while other gateways go on.
// It notes what the depth of one queue was each time it was read.
type side struct {
	*memory.Broker
	queue string

	mu      sync.Mutex
	dead    bool
	sources []broker.Source
	sinks   []broker.Sink
	locks   []func()
	read    []reading
}

// reading is one answer about a depth.
type reading struct {
	at    time.Time // when it was given
	depth broker.Depth
	known bool
}

var errKilled = fmt.Errorf("%w: the gateway was killed", broker.ErrLost)

// cut loses the sessions of this gateway. Sinks go first, as they must: what is given back may be sent by others at once.
func (s *side) cut() {
	s.mu.Lock()
	sources, sinks, locks := s.sources, s.sinks, s.locks
	s.sources, s.sinks, s.locks = nil, nil, nil
	s.mu.Unlock()
	for _, sink := range sinks {
		_ = sink.Close()
	}
	for _, source := range sources {
		_ = source.Close()
	}
	for _, release := range locks {
		release()
	}
}

// kill is what SIGKILL does.
func (s *side) kill() {
	s.mu.Lock()
	s.dead = true
	s.mu.Unlock()
	s.cut()
}

// OpenSource implements broker.Broker.
func (s *side) OpenSource(ctx context.Context, at broker.Address, o broker.SourceOptions) (broker.Source, error) {
	source, err := s.Broker.OpenSource(ctx, at, o)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		_ = source.Close()
		return nil, errKilled
	}
	s.sources = append(s.sources, source)
	return source, nil
}

// OpenSink implements broker.Broker.
func (s *side) OpenSink(ctx context.Context, at broker.Address, o broker.SinkOptions) (broker.Sink, error) {
	sink, err := s.Broker.OpenSink(ctx, at, o)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		_ = sink.Close()
		return nil, errKilled
	}
	s.sinks = append(s.sinks, sink)
	return sink, nil
}

// Lock implements broker.Locker.
func (s *side) Lock(ctx context.Context, name string) (context.Context, func(), error) {
	held, release, err := s.Broker.Lock(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		release()
		return nil, nil, errKilled
	}
	s.locks = append(s.locks, release)
	return held, release, nil
}

// Depth implements broker.Broker.
func (s *side) Depth(ctx context.Context, at broker.Address) (broker.Depth, error) {
	depth, err := s.Broker.Depth(ctx, at)
	if at.Queue == s.queue {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.read = append(s.read, reading{time.Now(), depth, err == nil && depth.Ready.Known})
	}
	return depth, err
}

// readings are those so far.
func (s *side) readings() []reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.read)
}
