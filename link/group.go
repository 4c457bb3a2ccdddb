package link

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"

	"golang.org/x/time/rate"
)

// Group runs links. Apply is both the first start and every reload: it touches only what changed.
type Group struct {
	ctx     context.Context // the life of its links
	log     *slog.Logger
	running sync.WaitGroup

	mu      sync.Mutex
	members map[string]*member
	samples map[string]*rate.Limiter // by the name of a source's broker
	leaving []*member                // those that Apply has stopped or replaced and that have not stopped yet
}

type member struct {
	name    string
	link    *Link
	version string
	stop    context.CancelFunc
	stopped chan struct{}
}

// Changes says what Apply did, by name, sorted.
type Changes struct {
	Started, Restarted, Stopped, Kept []string
}

// NewGroup makes an empty group whose links run until ctx ends. Call Wait before leaving.
func NewGroup(ctx context.Context, log *slog.Logger) *Group {
	return &Group{ctx: ctx, log: log, members: map[string]*member{}, samples: map[string]*rate.Limiter{}}
}

// Apply makes the group run exactly specs. A link whose Version is the same goes on undisturbed; one that changed is
// drained, then started anew, and stays paused if an operator had paused it. Apply does not wait for that.
func (g *Group) Apply(specs []Spec) Changes {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leaving = slices.DeleteFunc(g.leaving, (*member).hasStopped)
	var c Changes
	wanted := map[string]bool{}
	for _, spec := range specs {
		wanted[spec.Name] = true
		old := g.members[spec.Name]
		switch {
		case old == nil:
			c.Started = append(c.Started, spec.Name)
			g.start(spec, "")
		case old.version == spec.Version:
			c.Kept = append(c.Kept, spec.Name)
		default:
			c.Restarted = append(c.Restarted, spec.Name)
			g.leave(old)
			g.start(spec, old.link.pause.byHand())
		}
	}
	for name, m := range g.members {
		if !wanted[name] {
			c.Stopped = append(c.Stopped, name)
			g.leave(m)
			delete(g.members, name)
		}
	}
	for _, names := range [][]string{c.Started, c.Restarted, c.Stopped, c.Kept} {
		slices.Sort(names)
	}
	return c
}

// start runs a link once those of its name that went before have stopped. paused is why an operator has paused it, if so.
func (g *Group) start(spec Spec, paused string) {
	ctx, stop := context.WithCancel(g.ctx)
	m := &member{name: spec.Name, link: New(spec, g.log), version: spec.Version, stop: stop, stopped: make(chan struct{})}
	g.members[spec.Name] = m
	if g.samples[spec.Source.Name] == nil {
		g.samples[spec.Source.Name] = newSamples()
	}
	m.link.samples = g.samples[spec.Source.Name]
	if paused != "" {
		m.link.Pause(paused)
	}
	before := slices.DeleteFunc(slices.Clone(g.leaving), func(old *member) bool { return old.name != spec.Name })
	g.running.Go(func() {
		defer close(m.stopped)
		defer stop()
		for _, old := range before {
			<-old.stopped
		}
		m.link.Run(ctx)
	})
}

// leave stops a link and notes that it is on its way out.
func (g *Group) leave(m *member) {
	m.stop()
	g.leaving = append(g.leaving, m)
}

func (m *member) hasStopped() bool {
	select {
	case <-m.stopped:
		return true
	default:
		return false
	}
}

// Drained returns when every link that Apply has stopped or replaced so far has stopped: nothing uses their brokers any
// more.
func (g *Group) Drained() {
	g.mu.Lock()
	leaving := slices.Clone(g.leaving)
	g.mu.Unlock()
	for _, m := range leaving {
		<-m.stopped
	}
}

// Wait returns when every link has stopped, which they do when the group's context ends.
func (g *Group) Wait() { g.running.Wait() }

// Link finds one by name.
func (g *Group) Link(name string) (*Link, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m, ok := g.members[name]
	if !ok {
		return nil, false
	}
	return m.link, true
}

// Statuses are snapshots of all links, by name.
func (g *Group) Statuses() []Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]Status, 0, len(g.members))
	for _, m := range g.members {
		all = append(all, m.link.Status())
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
