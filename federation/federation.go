package federation

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"weir/broker"
	"weir/configs"
	"weir/link"
)

// Brokers finds a broker by the name it is declared under. version differs whenever its declaration does, so that links
// over a changed broker are restarted.
type Brokers func(name string) (b broker.Broker, version string)

// Federation runs the links that policies ask for.
type Federation struct {
	// Prepare, if it is set before the first Apply, is called on each link's Spec before it runs.
	Prepare func(*link.Spec)

	ctx context.Context // the life of its links
	log *slog.Logger

	mu          sync.Mutex
	downstreams map[string]*downstream // by the names of their brokers; they stay, without policies they have no links
	upstreams   map[string]*upstream   // every declared broker, by its name: any may have been one
	config      *configs.Config        // in force; nil before the first Apply
	queues      *queues
}

// New makes a Federation without links, which runs until ctx ends. Call Apply next, and Wait before leaving.
func New(ctx context.Context, log *slog.Logger) *Federation {
	return &Federation{ctx: ctx, log: log, downstreams: map[string]*downstream{}, upstreams: map[string]*upstream{}, queues: newQueues()}
}

// Apply is both the first start and every reload: it touches only the links concerned, and returns at once. Links come
// when it is known what exists downstream.
func (f *Federation) Apply(cfg *configs.Config, brokers Brokers) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		return
	}
	f.config = cfg
	f.upstreams = f.nextUpstreams(cfg, brokers)
	names := map[string]bool{}
	for _, p := range cfg.Policies {
		names[p.Downstream] = true
	}
	for name := range names {
		if f.downstreams[name] == nil {
			f.downstreams[name] = newDownstream(f.ctx, f.log, f.prepare, f.unbound)
		}
	}
	for name, d := range f.downstreams {
		if names[name] {
			d.apply(newPlan(cfg, name, brokers, f.queues), f.upstreams)
		} else {
			d.end()
		}
	}
}

func (f *Federation) prepare(s *link.Spec) {
	if f.Prepare != nil {
		f.Prepare(s)
	}
}

// unbound is told of a buffer that a mirror has unbound in the end. Where a broker or an upstream has another name since a
// reload, it may be the buffer of a mirror that has just begun.
func (f *Federation) unbound(buffer string) {
	for _, d := range f.all() {
		d.doubt(buffer)
	}
}

// nextUpstreams are the declared brokers; those that have not changed are the same ones.
func (f *Federation) nextUpstreams(cfg *configs.Config, brokers Brokers) map[string]*upstream {
	next := make(map[string]*upstream, len(cfg.Brokers))
	for name, declared := range cfg.Brokers {
		b, version := brokers(name)
		if next[name] = f.upstreams[name]; next[name] == nil || next[name].version != version {
			next[name] = newUpstream(end{name: name, vhost: declared.VHost, broker: b, version: version})
		}
	}
	return next
}

// all are the downstreams, by name.
func (f *Federation) all() []*downstream {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*downstream
	for _, name := range slices.Sorted(maps.Keys(f.downstreams)) {
		all = append(all, f.downstreams[name])
	}
	return all
}

// Drained returns when every link that Apply has stopped or replaced so far has stopped: nothing uses their brokers any
// more.
func (f *Federation) Drained() {
	for _, d := range f.all() {
		d.drained()
	}
}

// Wait returns when everything has stopped, which it does when the context of New ends.
func (f *Federation) Wait() {
	for _, d := range f.all() {
		d.group.Wait()
		d.running.Wait()
	}
}

// Link finds one by name.
func (f *Federation) Link(name string) (*link.Link, bool) {
	for _, d := range f.all() {
		if l, ok := d.group.Link(name); ok {
			return l, true
		}
	}
	return nil, false
}

// Statuses are snapshots of all links, by name.
func (f *Federation) Statuses() []link.Status {
	var all []link.Status
	for _, d := range f.all() {
		all = append(all, d.group.Statuses()...)
	}
	slices.SortFunc(all, func(a, b link.Status) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
