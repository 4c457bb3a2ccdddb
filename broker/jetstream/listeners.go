package jetstream

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// listeners know who wants what is published to an interest stream: the bindings of an exchange. The list is read again
// on every hint of a change (JetStream's advisories, at most once and late), every reconcileEvery without one, and
// whenever somebody needs to know what holds now.
type listeners struct {
	b      *Broker
	stream string
	hints  chan struct{} // something may have changed
	wanted chan struct{} // somebody waits for a reading
	free   chan struct{} // holds one for each reading that goes on

	mu      sync.Mutex
	begun   uint64 // readings so far
	current *audience
	number  uint64 // of the reading that current comes from
	waiting []chan<- reading
}

// audience is one reading of the list.
type audience struct {
	filters [][]string // of each consumer; none: it wants everything

	mu    sync.Mutex
	known map[string]bool // by subject
}

// reading is an audience, or why there is none.
type reading struct {
	audience *audience
	err      error
}

const (
	reconcileEvery = 15 * time.Second
	settleHints    = 20 * time.Millisecond // hints come in bursts
	maxKnown       = 4096                  // subjects whose answer an audience remembers
	// readAtOnce is how many readings go on at a time. A cluster takes 4 s to list a consumer that was made just now, and
	// has not been heard of everywhere; a second reading meanwhile takes no time.
	readAtOnce = 2
)

// wants reports whether any consumer matches.
func (a *audience) wants(subject string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	wanted, known := a.known[subject]
	if !known {
		wanted = a.match(subject)
		if len(a.known) >= maxKnown {
			clear(a.known)
		}
		a.known[subject] = wanted
	}
	return wanted
}

func (a *audience) match(subject string) bool {
	for _, filters := range a.filters {
		if len(filters) == 0 {
			return true
		}
		for _, f := range filters {
			if matches(f, subject) {
				return true
			}
		}
	}
	return false
}

// listenersOf returns those of a stream, which it begins to follow if it does not yet.
func (b *Broker) listenersOf(stream string) *listeners {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, known := b.listeners[stream]
	if !known {
		l = &listeners{
			b: b, stream: stream, hints: make(chan struct{}, 1), wanted: make(chan struct{}, 1), free: make(chan struct{}, readAtOnce),
		}
		b.listeners[stream] = l
		if !b.closed {
			b.running.Go(l.follow)
		}
	}
	return l
}

// last is the latest reading, nil before the first.
func (l *listeners) last() *audience {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// now waits for a reading that begins after the call.
func (l *listeners) now(ctx context.Context) (*audience, error) {
	answer := make(chan reading, 1)
	l.mu.Lock()
	l.waiting = append(l.waiting, answer)
	l.mu.Unlock()
	notify(l.wanted)
	select {
	case r := <-answer:
		return r.audience, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-l.b.ctx.Done():
		return nil, errClosed
	}
}

// follow reads the list whenever it may have changed, until the Broker closes.
func (l *listeners) follow() {
	ticker := time.NewTicker(reconcileEvery)
	defer ticker.Stop()
	var heard *conn
	for {
		heard = l.listen(heard)
		select {
		case <-l.b.ctx.Done():
			return
		case <-l.wanted:
		case <-ticker.C:
		case <-l.hints:
			select { // for the rest of the burst, unless somebody is in a hurry
			case <-time.After(settleHints):
			case <-l.wanted:
			case <-l.b.ctx.Done():
				return
			}
		}
		select {
		case l.free <- struct{}{}:
			l.b.running.Go(l.read)
		case <-l.b.ctx.Done():
			return
		}
	}
}

// listen subscribes to hints, once for each connection. A user who may not gets none, and the readings that are needed.
func (l *listeners) listen(heard *conn) *conn {
	c, err := l.b.manage(l.b.ctx)
	if err != nil || c == heard {
		return heard
	}
	hint := func(*nats.Msg) { notify(l.hints) }
	for _, change := range []string{"CREATED.", "DELETED."} {
		_, _ = c.nats.Subscribe(consumerAdvisory+change+l.stream+".>", hint)
	}
	l.b.listenToRequests(c)
	notify(l.hints) // of what has changed while nobody listened
	return c
}

// listenToRequests has all listeners hear of filters that change. That is told by the advisory about the request alone, which
// comes for every request of the account: one subscription is enough of them.
func (b *Broker) listenToRequests(c *conn) {
	b.mu.Lock()
	listens := b.requestsOn == c
	b.requestsOn = c
	b.mu.Unlock()
	if listens {
		return
	}
	_, _ = c.nats.Subscribe(apiAdvisory, func(m *nats.Msg) {
		stream, _, _ := consumerOfRequest(m.Data)
		b.mu.Lock()
		l := b.listeners[stream]
		b.mu.Unlock()
		if l != nil {
			notify(l.hints)
		}
	})
}

// read reads the list, for all who have asked until now.
func (l *listeners) read() {
	defer func() { <-l.free }()
	l.mu.Lock()
	waiting := l.waiting
	l.waiting = nil
	l.begun++
	number := l.begun
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(l.b.ctx, checkTimeout)
	defer cancel()
	a, err := l.list(ctx)
	l.mu.Lock()
	if err == nil && number > l.number {
		l.current, l.number = a, number
	}
	l.mu.Unlock()
	for _, w := range waiting {
		w <- reading{a, err}
	}
}

// list reads what the consumers of the stream want.
func (l *listeners) list(ctx context.Context) (*audience, error) {
	consumers, err := l.b.consumers(ctx, l.stream)
	if err != nil {
		return nil, err
	}
	a := &audience{known: map[string]bool{}}
	for _, info := range consumers {
		if info.Name != anchorName {
			a.filters = append(a.filters, filtersOf(info))
		}
	}
	return a, nil
}
