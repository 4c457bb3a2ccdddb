package federation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/broker"
)

const (
	// listAge is how old a listing of an upstream's buffers may be when a buffer is declared.
	listAge = 5 * time.Second
	// drainTick is how often an old generation is looked at while it is drained, disposeTick how often one that is empty
	// while another gateway still reads it.
	drainTick   = 2 * time.Second
	disposeTick = 30 * time.Second
	// mostGenerations bounds the search for a name that is free.
	mostGenerations = 999
)

// as is the buffer of a name, as it must be declared.
func (m *mirror) as(name string) broker.Buffer {
	p, u := m.pair, m.pair.upstream
	x := *p.exchange
	x.Name = p.upstreamExchange()
	arguments := broker.Table{
		"x-single-active-consumer": true,         // of several gateways one consumes, in order
		"x-internal-purpose":       "federation", // RabbitMQ's plugin does not federate such queues
	}
	if u.QueueType != "" {
		arguments["x-queue-type"] = string(u.QueueType)
	}
	if u.Expires > 0 {
		arguments["x-expires"] = u.Expires.Milliseconds()
	}
	if u.MessageTTL > 0 {
		arguments["x-message-ttl"] = u.MessageTTL.Milliseconds()
	}
	return broker.Buffer{Name: name, Exchange: x, Arguments: arguments, FirstHop: u.MaxHops == 1}
}

// declare makes sure that there is a buffer with the arguments it should have. One that has others stays as it is and
// becomes an old generation; the next number is declared in its place.
func (m *mirror) declare(ctx context.Context, b broker.Buffers) error {
	existing, err := m.existing(ctx)
	cannotList := errors.Is(err, broker.ErrUnsupported)
	if err != nil && !cannotList {
		m.beginReading(m.base) // what waits there need not wait for this
		return err
	}
	// The newest that fits, or a new one.
	try := slices.Clone(existing)
	slices.Reverse(try)
	next := 1
	if len(existing) > 0 {
		next = existing[len(existing)-1] + 1
	}
	for ; next <= mostGenerations; next++ {
		for _, n := range append(try, next) {
			mismatch := b.DeclareBuffer(ctx, m.as(generation(m.base, n)))
			if errors.Is(mismatch, broker.ErrMismatch) {
				if !slices.Contains(existing, n) { // it came after the listing
					existing = append(existing, n)
					m.upstream.forget()
				}
				continue
			}
			if mismatch != nil {
				return mismatch
			}
			m.use(n, existing)
			if cannotList && len(m.others) > 0 {
				m.pair.log.Warn("buffer has other arguments; it stays as it is, because the upstream cannot be asked about it",
					"buffer", m.others[0], "in-use", m.current, "error", err)
				m.others = nil
			}
			return nil
		}
		try = nil
	}
	return fmt.Errorf("buffer %s: every generation of it has other arguments: %w", m.base, broker.ErrMismatch)
}

// existing are the numbers of the generations there are.
func (m *mirror) existing(ctx context.Context) ([]int, error) {
	listed, err := m.upstream.waiting(ctx, listAge)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, w := range listed {
		if base, n := splitGeneration(w.Name); base == m.base {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// use takes a generation into use. The others are drained first, the oldest before the rest.
func (m *mirror) use(n int, existing []int) {
	current := generation(m.base, n)
	if m.current != current {
		m.known, m.current = false, current
	}
	m.others = nil
	for _, other := range existing {
		if other != n {
			m.others = append(m.others, generation(m.base, other))
		}
	}
}

// boundOthers is what other generations are still bound with, whichever way.
func (m *mirror) boundOthers(ctx context.Context, b broker.Buffers) (all []broker.Binding, err error) {
	for _, name := range m.others {
		if m.unbound[name] {
			continue
		}
		of := m.as(name)
		for _, of.FirstHop = range []bool{true, false} {
			bound, err := b.Bound(ctx, of)
			if err != nil && !errors.Is(err, broker.ErrNotFound) {
				return nil, err
			}
			all = append(all, bound...)
		}
	}
	return all, nil
}

// unbindOthers keeps what is new out of other generations, once the one in use is bound. What was published in between is
// in both.
func (m *mirror) unbindOthers(ctx context.Context, b broker.Buffers) error {
	for _, name := range m.others {
		if m.unbound[name] {
			continue
		}
		if err := unbindAll(ctx, b, m.as(name)); err != nil && !errors.Is(err, broker.ErrNotFound) {
			return err
		}
		m.unbound[name] = true
		m.pair.log.Info("buffer has other arguments; it is drained first", "buffer", name, "in-use", m.current)
	}
	return nil
}

// drainOthers lets the link read what is in other generations before the one in use, and deletes them when they are
// empty.
func (m *mirror) drainOthers(ctx context.Context, b broker.Buffers) (next time.Duration, err error) {
	if len(m.others) == 0 {
		m.read(m.current)
		return time.Until(m.due), nil
	}
	listed, err := m.upstream.waiting(ctx, drainTick/2)
	if err != nil {
		return 0, err
	}
	reading, left := m.current, []string(nil)
	for _, name := range m.others {
		i := slices.IndexFunc(listed, func(w broker.Waiting) bool { return w.Name == name })
		switch {
		case i < 0: // somebody has deleted it
			continue
		case reading != m.current: // an older one comes first
		case !m.empty(ctx, listed[i]):
			reading = name
		case m.dispose(ctx, b, name) == nil:
			continue
		}
		left = append(left, name)
	}
	m.others = left
	m.read(reading)
	if reading == m.current {
		return disposeTick, nil
	}
	return drainTick, nil
}

// empty tells whether nothing is left in a buffer: a listing may be seconds old, so the queue must say so itself, too.
func (m *mirror) empty(ctx context.Context, w broker.Waiting) bool {
	if !w.Messages.Known || w.Messages.N > 0 {
		return false
	}
	depth, err := m.upstream.broker.Depth(ctx, broker.Address{Queue: w.Name, Exchange: m.pair.upstreamExchange()})
	return err == nil && depth.Ready.Known && depth.Ready.N == 0
}

// dispose deletes an old generation that is empty, when the link does not read it any more.
func (m *mirror) dispose(ctx context.Context, b broker.Buffers, name string) error {
	d, ok := b.(broker.Disposer)
	if !ok {
		return broker.ErrUnsupported
	}
	if err := m.release(ctx, name); err != nil {
		return err
	}
	err := d.DeleteBuffer(ctx, name, false)
	m.upstream.forget()
	if err == nil {
		m.pair.log.Info("buffer with other arguments was empty and is deleted", "buffer", name)
	}
	return err
}
