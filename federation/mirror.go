package federation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/broker"
	"weir/link"
)

const (
	// checkEvery is how often the bindings of a buffer are read back though nothing tells that they have changed.
	checkEvery = 2 * time.Minute
	// checkSoon is how soon they are read back after they were changed: another gateway, whose reading of the downstream was
	// begun before, and takes up to readTimeout, may have undone it.
	checkSoon = readTimeout + 2*time.Second
	// stepTimeout bounds one try to make them equal: ten thousand over a slow line take seconds.
	stepTimeout = time.Minute
	// lettingGo bounds the last try to unbind a buffer that is not wanted any more.
	lettingGo = 10 * time.Second
)

// mirror keeps the buffer of one exchange link: it exists, and is bound as the downstream exchange is. It goes on while
// the link is paused or has lost its brokers, and is the link's Gate (gate.go), because nothing can be received before
// the buffer is there. Make it with newMirror; start and stop it once.
type mirror struct {
	pair     pair
	upstream *upstream
	noticed  func() string // how changes downstream are noticed
	wake     chan struct{} // cap 1: there is something to do
	back     chan struct{} // cap 1: the link has just reached the upstream
	cancel   context.CancelFunc
	stopped  chan struct{}
	again    func(exchange string) // has the bindings downstream read again soon
	onUnbind func(buffer string)   // told when the buffer has been unbound in the end
	letGo    atomic.Bool           // the pair is gone: unbind the buffer in the end

	buffer // what is known of it; only the mirror's own goroutine uses it

	mu         sync.Mutex
	downstream *observed // nil: not read yet
	stale      bool      // something is not removed before the downstream has been read again
	recheck    bool      // what is known of the upstream may be wrong
	gate
	report
}

// buffer is what the mirror knows of its buffer at the upstream.
type buffer struct {
	base       string   // its name, without a generation
	current    string   // the generation in use; "": not declared yet
	others     []string // other generations, to be drained and deleted
	unbound    map[string]bool
	known      bool // bound is what it is bound with
	bound      []broker.Binding
	readBackAt time.Time        // when that was; zero: it cannot be
	mine       []broker.Binding // what this mirror has bound it with last
	due        time.Time        // when bound is to be read back again
}

func newMirror(p pair, u *upstream, noticed func() string) *mirror {
	m := &mirror{pair: p, upstream: u, noticed: noticed, wake: make(chan struct{}, 1), back: make(chan struct{}, 1), stopped: make(chan struct{})}
	m.base, m.unbound = bufferName(p), map[string]bool{}
	m.gate.changed = make(chan struct{})
	m.report.why = errNotYet
	return m
}

// start runs it in running until stop, or ctx ends; before, which it replaces, ends first.
func (m *mirror) start(ctx context.Context, running *sync.WaitGroup, before *mirror) {
	ctx, m.cancel = context.WithCancel(ctx)
	running.Go(func() {
		defer close(m.stopped)
		if before != nil {
			<-before.stopped
		}
		m.run(ctx)
	})
}

// stop ends it, and does not wait. gone: the pair is not wanted any more, so the buffer is unbound, and not deleted.
func (m *mirror) stop(gone bool) {
	m.letGo.Store(gone)
	m.cancel()
}

// want tells it the bindings of the downstream exchange, and whether they are others than before.
func (m *mirror) want(o observed, changed bool) {
	m.mu.Lock()
	m.downstream = &o
	changed = changed || m.stale
	m.mu.Unlock()
	if changed {
		poke(m.wake)
	}
}

// doubt tells it that something at the upstream may have changed.
func (m *mirror) doubt() {
	m.mu.Lock()
	m.recheck = true
	m.mu.Unlock()
	poke(m.wake)
	poke(m.back)
}

func (m *mirror) hasStopped() bool { return isClosed(m.stopped) }

// poke wakes who waits on c, if it is not awake already.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (m *mirror) run(ctx context.Context) {
	delays := link.Delays(m.pair.upstream.ReconnectDelay)
	retry := link.NewBackoff(delays)
	for ctx.Err() == nil {
		next, err := m.step(ctx)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			retry.Reset()
			m.waitAtMost(ctx, next, m.wake)
		default:
			delay := retry.Next()
			if hopeless(err) {
				delay = delays.Max
			}
			m.failed(err, delay)
			m.known = false
			m.waitAtMost(ctx, delay, m.back)
		}
	}
	if m.letGo.Load() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lettingGo)
		defer cancel()
		m.unbind(ctx)
		m.onUnbind(m.base)
	}
}

// hopeless tells what an operator must mend first: trying harder does not help.
func hopeless(err error) bool {
	return errors.Is(err, broker.ErrDenied) || errors.Is(err, broker.ErrUnsupported)
}

func (m *mirror) waitAtMost(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// step makes the buffer what it should be, and tells when to look again.
func (m *mirror) step(ctx context.Context) (next time.Duration, err error) {
	m.mu.Lock()
	downstream, recheck := m.downstream, m.recheck
	m.recheck = false
	m.mu.Unlock()
	if downstream == nil {
		return checkEvery, nil
	}
	if recheck || !time.Now().Before(m.due) {
		m.known = false
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	to, err := identity(ctx, m.pair.to) // a downstream that does not say must not take a turn of others at the upstream
	if err != nil {
		return 0, err
	}
	if err := m.upstream.enter(ctx); err != nil {
		return 0, err
	}
	defer m.upstream.leave()
	b, err := m.upstream.buffers()
	if err != nil {
		return 0, err
	}
	if !m.known {
		if err := m.declare(ctx, b); err != nil {
			return 0, err
		}
		m.beginReading(slices.Concat(m.others, []string{m.current})[0])
	}
	if err := m.bind(ctx, b, *downstream, to); err != nil {
		return 0, err
	}
	return m.drainOthers(ctx, b)
}

// bind makes its bindings those that are wanted. Another gateway may have bound it with what this one does not know of
// yet: so what has been read back is removed, or left to another generation, only if it was not bound downstream later.
func (m *mirror) bind(ctx context.Context, b broker.Buffers, downstream observed, to broker.Identity) error {
	from, err := identity(ctx, m.pair.from)
	if err != nil {
		return err
	}
	want := wanted(downstream.bindings, m.pair, from, to)
	blind := false
	if !m.known {
		if blind, err = m.readBack(ctx, b); err != nil {
			return err
		}
	}
	add, remove := difference(want, m.bound)
	if blind {
		add = want // it may be another buffer of that name by now
	}
	var kept []broker.Binding
	if downstream.asked.Before(m.readBackAt) {
		others, err := m.boundOthers(ctx, b)
		if err != nil {
			return err
		}
		carried := without(others, slices.Concat(want, m.bound))
		add, remove, kept = slices.Concat(add, carried), nil, slices.Concat(remove, carried)
	}
	if len(add)+len(remove) > 0 {
		if err := b.Rebind(ctx, m.as(m.current), add, remove); err != nil {
			return err
		}
		m.bound, m.mine = slices.Concat(want, kept), want
		if soon := time.Now().Add(checkSoon); soon.Before(m.due) {
			m.due = soon
		}
	}
	if err := m.unbindOthers(ctx, b); err != nil {
		return err
	}
	m.equal(len(want), len(add), len(remove), len(kept))
	if len(kept) > 0 {
		m.again(m.pair.exchange.Name)
	}
	return nil
}

// readBack reads what the buffer is bound with. Where the upstream cannot be asked (RabbitMQ without a management API) it
// is blind: what this mirror has bound itself must do, and what others have, or it has in another life, is not known.
func (m *mirror) readBack(ctx context.Context, b broker.Buffers) (blind bool, err error) {
	bound, err := b.Bound(ctx, m.as(m.current))
	switch {
	case err == nil:
		m.readBackAt = time.Now()
		m.told(nil)
	case errors.Is(err, broker.ErrUnsupported):
		m.told(fmt.Errorf("bindings that went while weir was away stay, because they cannot be read back: %w", err))
		bound, blind, m.readBackAt = m.mine, true, time.Time{}
	default:
		return false, err
	}
	m.bound, m.known = bound, true
	m.due = time.Now().Add(checkEvery + rand.N(checkEvery/2)) // not all at a time
	return blind, nil
}

// unbind leaves every generation of the buffer without bindings, so that nothing more comes into it, and says what is left.
func (m *mirror) unbind(ctx context.Context) {
	b, err := m.upstream.buffers()
	if err != nil {
		return
	}
	names := []string{cmp.Or(m.current, m.base)}
	existing, _ := m.existing(ctx) // without a listing it is the one in use
	for _, n := range existing {
		if name := generation(m.base, n); name != names[0] {
			names = append(names, name)
		}
	}
	for _, name := range names {
		err := unbindAll(ctx, b, m.as(name))
		if errors.Is(err, broker.ErrUnsupported) && len(m.mine) > 0 { // what cannot be read back is at least what it has bound
			err = b.Rebind(ctx, m.as(name), nil, m.mine)
		}
		about := []any{"buffer", name, "broker", m.pair.from.name}
		switch {
		case err == nil:
			m.pair.log.Info("buffer is not wanted any more; what is in it stays until weir gc", about...)
		case !errors.Is(err, broker.ErrNotFound):
			m.pair.log.Warn("buffer is not wanted any more and still bound; it fills until it is deleted", append(about, "error", err)...)
		}
	}
}

// unbindAll takes away every binding of a buffer, whichever way it was bound.
func unbindAll(ctx context.Context, b broker.Buffers, of broker.Buffer) error {
	for _, of.FirstHop = range []bool{true, false} {
		bound, err := b.Bound(ctx, of)
		if err != nil {
			return err
		}
		if len(bound) == 0 {
			continue
		}
		if err := b.Rebind(ctx, of, nil, bound); err != nil {
			return err
		}
	}
	return nil
}
