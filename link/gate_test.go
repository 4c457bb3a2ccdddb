package link_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/link"
)

// gate is one that a test opens and shuts.
type gate struct {
	state   link.State
	mu      sync.Mutex
	open    bool
	changed chan struct{}
	fault   error
	opened  int
	done    int
}

func newGate(open bool) *gate {
	return &gate{state: link.Shut, open: open, changed: make(chan struct{})}
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = open
	close(g.changed)
	g.changed = make(chan struct{})
}

// fail makes Open fail, until fail(nil).
func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault = err
}

func (g *gate) fails() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fault
}

func (g *gate) now() (open bool, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open, g.changed
}

// until waits for a position.
func (g *gate) until(ctx context.Context, open bool) error {
	for {
		now, changed := g.now()
		if now == open {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *gate) Open(ctx context.Context) (context.Context, func(), error) {
	if err := g.fails(); err != nil {
		return nil, nil, err
	}
	if err := g.until(ctx, true); err != nil {
		return nil, nil, err
	}
	g.opened++
	open, shut := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer shut()
		_ = g.until(open, false)
	})
	return open, func() { shut(); watching.Wait(); g.done++ }, nil
}

func (g *gate) Shut() (link.State, string) {
	if open, _ := g.now(); open {
		return "", ""
	}
	return g.state, "the gate is shut"
}

func TestLinkRunsWhileItsGateIsOpen(t *testing.T) {
	play(t, func(r *rig) {
		g := newGate(false)
		r.spec.Gate = g
		r.put(10)
		r.start()
		s := r.reaches(time.Second, link.Shut)
		r.contains("the reason", s.Reason, "the gate is shut")
		r.during(time.Minute, "nothing is touched", func() bool { return len(r.from.Bodies("in")) == 10 })
		for i := range 3 {
			g.set(true)
			r.arrived(time.Second, 10*(i+1))
			r.reaches(5*time.Second, link.Idle)
			g.set(false)
			r.reaches(time.Second, link.Shut)
			r.put(10)
			r.during(time.Minute, "it waits", func() bool { return len(r.from.Bodies("in")) == 10 })
		}
		r.exactly(30)
	})
}

// A gate that shuts in full flow gives nothing back and duplicates nothing.
func TestShuttingGateDrains(t *testing.T) {
	play(t, func(r *rig) {
		g := newGate(true)
		r.spec.Gate = g
		r.to.Latency(50 * time.Millisecond)
		r.put(2000)
		r.start()
		for range 5 {
			r.until(5*time.Second, "messages are in flight", func() bool { return r.link.Status().InFlight > 10 })
			g.set(false)
			r.reaches(time.Second, link.Shut)
			if n := r.unacked(); n > 0 {
				r.Fatalf("%d unacked behind a shut gate", n)
			}
			g.set(true)
		}
		r.arrived(time.Minute, 2000)
		r.exactly(2000)
		if again := r.source.returned(); len(again) > 0 {
			r.Errorf("%d were given back", len(again))
		}
	})
}

func TestGateStaysOpenAcrossLostSessions(t *testing.T) {
	play(t, func(r *rig) {
		g := newGate(true)
		r.spec.Gate = g
		r.put(1)
		r.start()
		r.arrived(time.Second, 1)
		for range 5 {
			r.from.Cut()
			r.to.Cut()
			r.after(5 * time.Second)
		}
		r.put(1)
		r.arrived(5*time.Second, 2)
		if g.opened != 1 {
			r.Errorf("the gate was opened %d times", g.opened)
		}
	})
}

func TestGateThatFailsIsTriedAgainWithBackOff(t *testing.T) {
	play(t, func(r *rig) {
		g := newGate(true)
		g.fail(errors.New("no lock to be had"))
		r.spec.Gate = g
		r.start()
		s := r.reaches(time.Second, link.Retrying)
		r.contains("the reason", s.Reason, "no lock to be had")
		r.after(time.Minute)
		if n := r.link.Status().Attempt; n < 20 || n > 200 {
			r.Errorf("%d attempts in a minute", n)
		}
		g.fail(nil)
		r.reaches(10*time.Second, link.Idle)
	})
}

func TestStatusTellsStandbyFromShut(t *testing.T) {
	play(t, func(r *rig) {
		g := newGate(false)
		g.state = link.Standby
		r.spec.Gate = g
		r.start()
		r.reaches(time.Second, link.Standby)
	})
}

// TestBoth tells, for a story of two gates, when the pair is open.
func TestBothIsOpenWhileBothAre(t *testing.T) {
	for _, c := range []struct{ story, want string }{
		{"+1 +2", "shut open"},
		{"+2 +1", "shut open"},
		{"+1 +2 -2 +2", "shut open shut open"},
		{"+1 +2 -1 +1", "shut open shut open"},
		{"+1 -1 +2 +1", "shut shut shut open"},
		{"+1 +2 -1 -2 +1 +2", "shut open shut shut shut open"},
	} {
		t.Run(c.story, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gates := map[byte]*gate{'1': newGate(false), '2': newGate(false)}
				pair := link.Both(gates['1'], gates['2'])
				ctx, cancel := context.WithCancel(t.Context())
				var mu sync.Mutex
				state := "shut"
				set := func(s string) { mu.Lock(); defer mu.Unlock(); state = s }
				var running sync.WaitGroup
				running.Go(func() {
					for ctx.Err() == nil {
						open, done, err := pair.Open(ctx)
						if err != nil {
							if ctx.Err() == nil {
								t.Errorf("Open: %v", err)
							}
							continue
						}
						set("open")
						<-open.Done()
						set("shut")
						done()
					}
				})
				got := ""
				for i := 0; i < len(c.story); i += 3 {
					gates[c.story[i+1]].set(c.story[i] == '+')
					synctest.Wait()
					mu.Lock()
					got += state + " "
					_, why := pair.Shut()
					if (why == "") != (state == "open") {
						t.Errorf("Shut says %q while it is %s", why, state)
					}
					mu.Unlock()
				}
				if got != c.want+" " {
					t.Errorf("got %s, want %s", got, c.want)
				}
				cancel()
				running.Wait()
				for n, g := range gates {
					if g.done != g.opened {
						t.Errorf("gate %c was opened %d times and done %d times", n, g.opened, g.done)
					}
				}
			})
		})
	}
}

func TestBothFailsIfEitherFails(t *testing.T) {
	broken := newGate(true)
	broken.fail(errors.New("broken"))
	for i, pair := range []link.Gate{link.Both(broken, newGate(true)), link.Both(newGate(true), broken)} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if _, _, err := pair.Open(t.Context()); !errors.Is(err, broken.fails()) {
				t.Errorf("got %v", err)
			}
		})
	}
}
