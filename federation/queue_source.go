package federation

import (
	"context"
	"slices"
	"sync"
	"time"

	"weir/broker"
)

// batchSource keeps acks back. It leaves sizing to the gate, so it is no broker.Resizer.
type batchSource struct {
	broker.Source
	of *batches

	settling sync.Mutex // one settlement at a time at Source, in order; taken before of.mu

	// guarded by of.mu
	batch  int       // the most that may be on its way or lie downstream
	window int       // of the consumer: less than batch while it came on top of what was on its way
	came   int       // messages received
	before int       // of them, those of the consumers before
	passed int       // settled at Source
	out    []receipt // what the link has in hand, in order
	acks   []keptAck
	free   bool  // acks are passed on: nothing more comes
	err    error // why one could not be
}

// receipt is one message that has come from the upstream.
type receipt struct {
	tag uint64
	at  time.Time
}

// keptAck is an ack that waits until its messages have been consumed downstream.
type keptAck struct {
	m      *broker.Message
	n      int       // how many messages it settles
	first  time.Time // when the first of them came
	single bool      // by Settle
	landed int64     // batches.landed with them
}

// progress tells how far the batch has come. The caller holds of.mu.
func (s *batchSource) progress() progress {
	p := progress{batch: s.batch, full: s.came-max(s.before, s.passed) >= s.window}
	p.spent = p.full && len(s.out) == 0
	switch {
	case len(s.acks) > 0:
		p.age = time.Since(s.acks[0].first)
	case len(s.out) > 0:
		p.age = time.Since(s.out[0].at)
	}
	return p
}

// find is the place of a message among those that the link has in hand, -1 if it is not there. The caller holds of.mu.
func (s *batchSource) find(m *broker.Message) int {
	return slices.IndexFunc(s.out, func(r receipt) bool { return r.tag == m.Tag })
}

// Receive implements broker.Source.
func (s *batchSource) Receive(ctx context.Context) (*broker.Message, error) {
	m, err := s.Source.Receive(ctx)
	if err != nil {
		return nil, err
	}
	b := s.of
	b.mu.Lock()
	first := s.came == s.passed
	s.came++
	b.moved = time.Now()
	s.out = append(s.out, receipt{m.Tag, b.moved})
	b.count++
	b.bytes += int64(len(m.Body))
	b.mu.Unlock()
	if first {
		b.tell()
	}
	return m, nil
}

// Node implements broker.Connected.
func (s *batchSource) Node() string { return broker.NodeOf(s.Source) }

// Ack implements broker.Source.
func (s *batchSource) Ack(last *broker.Message) error {
	a := keptAck{m: last}
	s.of.mu.Lock()
	if a.n = s.find(last) + 1; a.n > 0 {
		a.first = s.out[0].at
		s.out = s.out[a.n:]
	}
	s.of.mu.Unlock()
	return s.keep(a)
}

// Settle implements broker.Source. What has not gone downstream is settled at once.
func (s *batchSource) Settle(m *broker.Message, how broker.Settlement) error {
	a := keptAck{m: m, n: 1, single: true}
	s.of.mu.Lock()
	if i := s.find(m); i >= 0 {
		a.first = s.out[i].at
		s.out = slices.Delete(s.out, i, i+1)
	}
	s.of.mu.Unlock()
	if how == broker.Acked {
		return s.keep(a)
	}
	s.of.mu.Lock()
	s.passed++
	s.of.mu.Unlock()
	s.settling.Lock()
	defer s.settling.Unlock()
	return s.Source.Settle(m, how)
}

// keep keeps an ack back, or passes it on if nothing more can come. It returns what became of those before.
func (s *batchSource) keep(a keptAck) error {
	b := s.of
	b.mu.Lock()
	b.landed += int64(a.n)
	a.landed = b.landed
	s.acks = append(s.acks, a)
	p, free, err := s.progress(), s.free, s.err
	b.mu.Unlock()
	switch {
	case free:
		return s.pass(a.landed)
	case p.spent:
		b.tell()
	}
	return err
}

// pass passes on the acks of what had landed by then: of those that are cumulative only the last.
func (s *batchSource) pass(landed int64) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	b := s.of
	b.mu.Lock()
	n, last := 0, -1
	for n < len(s.acks) && s.acks[n].landed <= landed {
		s.passed += s.acks[n].n
		if !s.acks[n].single {
			last = n
		}
		n++
	}
	passed := s.acks[:n]
	s.acks = s.acks[n:]
	err := s.err
	b.mu.Unlock()
	for i, a := range passed {
		switch {
		case err != nil:
		case a.single:
			err = s.Source.Settle(a.m, broker.Acked)
		case i == last:
			err = s.Source.Ack(a.m)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.err = err
	return err
}

// resizeTimeout bounds how long an upstream may take to change a window; meanwhile no depth is read.
const resizeTimeout = 10 * time.Second

// next lets the next batch come.
func (s *batchSource) next(ctx context.Context, m mark, size int) {
	if window, before := s.windowFor(m, size); window > 0 {
		s.resize(ctx, window, size, before)
	}
	_ = s.pass(m.landed) // the next ack tells
}

// windowFor is the window of the consumer that brings batches of another size, and how many messages have come before it.
// A window of 0: the consumer stays. It changes only when it has brought all it could, or that would come on top of what
// the next one brings; what is still on its way downstream does.
func (s *batchSource) windowFor(m mark, size int) (window, before int) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	onItsWay := len(s.out) + int(s.of.landed-m.landed)
	window = size - onItsWay
	switch {
	case !m.full || s.free || size == s.batch:
		return 0, 0
	case size < s.batch && onItsWay > 0, size > s.batch && window < s.window*5/4: // soon
		return 0, 0
	}
	return window, s.came
}

func (s *batchSource) resize(ctx context.Context, window, size, before int) {
	resizer, ok := s.Source.(broker.Resizer)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, resizeTimeout)
	defer cancel()
	if resizer.Resize(ctx, window) != nil {
		return // a lost session shows at Receive
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.window, s.batch, s.before = window, size, before
}

// Stop implements broker.Source.
func (s *batchSource) Stop(ctx context.Context) error {
	err := s.Source.Stop(ctx)
	_ = s.release()
	return err
}

// Close implements broker.Source.
func (s *batchSource) Close() error {
	_ = s.release() // what has arrived downstream must not come again
	b := s.of
	b.mu.Lock()
	if b.source == s {
		b.source = nil
		b.expire()
	}
	b.mu.Unlock()
	return s.Source.Close()
}

// release passes on all acks, those to come too.
func (s *batchSource) release() error {
	s.of.mu.Lock()
	s.free = true
	landed := s.of.landed
	s.of.mu.Unlock()
	return s.pass(landed)
}
