package federation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weir/broker"
	"weir/link"
)

// demandGate is open while messages are wanted in a downstream queue. It reads the depth, and after each reading that found
// all consumed it grants the next batch; a source is opened and closed only where demand comes and goes.
type demandGate struct {
	at      end // the downstream
	queue   string
	queues  *queues
	readers *readers
	batches *batches
	log     *slog.Logger
	// declare makes sure that the upstream can be reached and has the queue, also while nothing is wanted from it: an
	// operator should not learn of a wrong password only with the first consumer.
	declare  func(context.Context) error
	declared bool // Open's own

	mu      sync.Mutex
	demand  demand
	ready   broker.Count // at the last reading
	unread  error        // why the depth could not be read, nil if it was
	changed time.Time    // when the gate opened or shut last
	looked  time.Time    // when the last reading was begun
}

// Open implements link.Gate. It returns an error if the upstream cannot be used or the depth cannot be read.
func (g *demandGate) Open(ctx context.Context) (context.Context, func(), error) {
	if !g.declared {
		if err := g.declare(ctx); err != nil {
			return nil, nil, err
		}
		g.declared = true
	}
	if err := g.await(ctx); err != nil {
		return nil, nil, err
	}
	open, shut := context.WithCancel(ctx)
	g.readers.all.Add(1)
	g.readers.open.Add(1)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer shut()
		for g.pause(open) {
			if wanted, _ := g.look(open); !wanted { // an error is told when the gate has shut
				return
			}
		}
	})
	done := func() {
		shut()
		watching.Wait()
		g.readers.all.Add(-1)
		g.readers.open.Add(-1)
		g.forget()
	}
	return open, done, nil
}

// await waits until messages are wanted.
func (g *demandGate) await(ctx context.Context) error {
	g.readers.all.Add(1)
	defer g.readers.all.Add(-1)
	for {
		wanted, err := g.look(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		case wanted:
			return nil
		}
		if !g.pause(ctx) {
			return ctx.Err()
		}
	}
}

// forget: the link has stopped, whatever the reason. The next reading begins anew.
func (g *demandGate) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.demand.open {
		g.demand.shut()
		g.changed = time.Now()
	}
}

// soonestReading is how long after the last one a reading begins at the earliest.
const soonestReading = 5 * time.Millisecond

// pause waits until the next reading is due, which is early if there is news of messages; false if ctx ended first.
func (g *demandGate) pause(ctx context.Context) bool {
	now := time.Now()
	last := g.batches.status().moved
	g.mu.Lock()
	if g.changed.After(last) {
		last = g.changed
	}
	looked := g.looked
	g.mu.Unlock()
	due := time.NewTimer(g.readers.every(now.Sub(last)))
	defer due.Stop()
	select {
	case <-due.C:
		return true
	case <-g.batches.news:
	case <-ctx.Done():
		return false
	}
	soonest := time.NewTimer(time.Until(looked.Add(soonestReading)))
	defer soonest.Stop()
	select {
	case <-soonest.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// depthTimeout bounds one reading, so that a silent broker does not hold up a decision.
const depthTimeout = 5 * time.Second

// look reads the depth once and tells whether messages are wanted.
func (g *demandGate) look(ctx context.Context) (wanted bool, err error) {
	m := g.batches.mark()
	began := time.Now()
	timed, cancel := context.WithTimeout(ctx, depthTimeout)
	defer cancel()
	depth, err := g.at.broker.Depth(timed, broker.Address{Queue: g.queue})
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		err = fmt.Errorf("depth of %s queue=%s: %w", g.at.name, g.queue, err)
	}
	wanted, granted, size := g.consider(began, depth, err, m.progress)
	if err == nil && depth.Ready.Known && depth.Ready.N == 0 && !depth.At.Before(began) {
		g.batches.gone(m)
	}
	if granted {
		g.batches.grant(ctx, m, size)
	}
	return wanted, err
}

// consider takes a reading into account.
func (g *demandGate) consider(began time.Time, depth broker.Depth, err error, p progress) (wanted, granted bool, size int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.looked = began
	d := &g.demand
	switch {
	case err != nil:
		if g.unread == nil && d.open {
			g.log.Warn("depth cannot be read, the last decision stands", "downstream", g.at.name, "queue", g.queue, "error", err)
		}
		depth = broker.Depth{}
	case depth.At.Before(began): // repeated by a driver that has read it a moment ago: no news
		return d.open, false, 0
	}
	g.unread, g.ready = err, depth.Ready
	was := d.open
	d.most = g.batches.largest()
	granted = d.judge(look{at: began, depth: depth, progress: p, busy: g.queues.busyUntil(place{g.at.name, g.queue})})
	if d.open != was {
		g.changed = time.Now()
		g.log.Debug("demand changed", "wanted", d.open, "why", d.why)
	}
	return d.open, granted, d.batch
}

// Shut implements link.Gate.
func (g *demandGate) Shut() (link.State, string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.demand.open:
		return "", ""
	case g.unread != nil:
		return link.Shut, fmt.Sprintf("depth downstream cannot be read: %v", g.unread)
	case g.demand.why == "":
		return link.Shut, "depth downstream not read yet"
	}
	return link.Shut, g.demand.why
}

// stranded is how many messages of the last batch lie ready downstream, as far as readings have told. Those that came there
// from elsewhere cannot be told apart from them.
func (g *demandGate) stranded(forwarded int64) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.ready.Known {
		return forwarded
	}
	return min(forwarded, g.ready.N)
}
