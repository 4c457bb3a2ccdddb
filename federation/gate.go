package federation

import (
	"context"
	"errors"
	"fmt"

	"weir/broker"
	"weir/link"
)

// gate is the part of a mirror that lets its link read: from one generation of the buffer after the other.
type gate struct {
	reading string        // the buffer that the link may read; "": none
	changed chan struct{} // closed when reading or busy changes
	shut    func()        // stops the link that reads
	busy    int           // links that have not stopped yet
}

func (g *gate) tell() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// Open implements link.Gate. It shuts when another generation is to be read.
func (m *mirror) Open(ctx context.Context) (context.Context, func(), error) {
	m.mu.Lock()
	for m.reading == "" {
		changed := m.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		m.mu.Lock()
	}
	defer m.mu.Unlock()
	open, cancel := context.WithCancel(ctx)
	m.shut = cancel
	m.busy++
	return open, func() {
		cancel()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.busy--
		m.tell()
	}, nil
}

// Shut implements link.Gate.
func (m *mirror) Shut() (link.State, string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.reading != "":
		return "", ""
	case m.why != nil:
		return link.Shut, m.why.Error()
	}
	return link.Shut, "changing to another generation of the buffer"
}

// read lets the link read a buffer. If it reads another, it is drained first.
func (m *mirror) read(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reading == name {
		return
	}
	m.reading = name
	if m.shut != nil {
		m.shut()
	}
	m.tell()
}

// beginReading lets the link read a buffer if it reads none yet, though the bindings may not be equal.
func (m *mirror) beginReading(name string) {
	m.mu.Lock()
	reads := m.reading != ""
	m.mu.Unlock()
	if !reads {
		m.read(name)
	}
}

// release makes the link stop reading a buffer, and returns when it has.
func (m *mirror) release(ctx context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reading == name {
		m.reading = ""
		if m.shut != nil {
			m.shut()
		}
		m.tell()
	}
	for m.reading == "" && m.busy > 0 {
		changed := m.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		m.mu.Lock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// source is the upstream's broker as the link sees it: the buffer that is to be read is where the mirror says.
type source struct {
	broker.Broker
	m *mirror
}

// OpenSource implements broker.Broker. Before the second time something was lost, so that the bindings are read back; a
// buffer that has vanished is made again.
func (s source) OpenSource(ctx context.Context, at broker.Address, o broker.SourceOptions) (broker.Source, error) {
	opened, err := s.Broker.OpenSource(ctx, s.at(at), o)
	if s.m.opened() || errors.Is(err, broker.ErrNotFound) {
		s.m.doubt()
	}
	if why := s.m.unmade(); why != nil && errors.Is(err, broker.ErrNotFound) {
		err = fmt.Errorf("%w, and cannot be made: %w", err, why)
	}
	return opened, err
}

// OpenSink implements broker.Broker: heartbeats go into the buffer that is read.
func (s source) OpenSink(ctx context.Context, at broker.Address, o broker.SinkOptions) (broker.Sink, error) {
	return s.Broker.OpenSink(ctx, s.at(at), o)
}

// Depth implements broker.Broker.
func (s source) Depth(ctx context.Context, at broker.Address) (broker.Depth, error) {
	return s.Broker.Depth(ctx, s.at(at))
}

func (s source) at(at broker.Address) broker.Address {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.m.reading != "" {
		at.Queue = s.m.reading
	}
	return at
}
