package federation

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/broker"
	"weir/link"
)

// downstream supervises what is federated on one broker: it derives links from the policies and from what exists there,
// and applies the difference. Others are not held up by it, nor its links by each other.
type downstream struct {
	ctx   context.Context // the life of its links
	log   *slog.Logger
	group *link.Group
	// prepare is called on each spec before it runs, unbound when a mirror has unbound its buffer.
	prepare func(*link.Spec)
	unbound func(buffer string)
	running sync.WaitGroup // mirrors and watches
	// noticedBy tells how changes are noticed. It is read under the locks of others.
	noticedBy atomic.Pointer[string]

	mu       sync.Mutex
	plan     plan
	have     *inventory          // nil: not known yet
	bindings map[string]observed // of federated exchanges, as last read
	mirrors  map[string]*mirror  // by pair.key: two links must never keep one buffer
	leaving  []*mirror           // those that may not have stopped yet
	watch    *watch
	watches  []*watch // those that may not have stopped yet
	ups      map[string]*upstream
	policies map[string]*Problem // what is wrong with a policy, by its name
	problem  *Problem            // what keeps it from being known what exists
}

func newDownstream(ctx context.Context, log *slog.Logger, prepare func(*link.Spec), unbound func(buffer string)) *downstream {
	return &downstream{
		ctx: ctx, log: log, prepare: prepare, unbound: unbound,
		group:    link.NewGroup(ctx, log),
		bindings: map[string]observed{},
		mirrors:  map[string]*mirror{},
		ups:      map[string]*upstream{},
		policies: map[string]*Problem{},
	}
}

// apply makes another plan the one in force. It touches only the links concerned.
func (d *downstream) apply(p plan, ups map[string]*upstream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	other := d.watch == nil || d.plan.to.version != p.to.version
	d.plan, d.ups = p, ups
	if other {
		if d.watch != nil {
			d.watch.cancel()
		}
		d.watch = newWatch(d, p.to)
		d.watches = append(slices.DeleteFunc(d.watches, (*watch).hasStopped), d.watch)
		d.watch.start(d.ctx)
	}
	d.reconcile()
	poke(d.watch.poked)
}

// end makes it federate nothing.
func (d *downstream) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watch == nil {
		return
	}
	d.watch.cancel()
	d.plan.rules = nil
	d.reconcile()
	d.watch, d.have, d.problem = nil, nil, nil
}

// current is the plan in force.
func (d *downstream) current() plan {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.plan
}

// drained returns when what apply and end have stopped so far has stopped.
func (d *downstream) drained() {
	d.mu.Lock()
	mirrors, watches := slices.Clone(d.leaving), slices.Clone(d.watches) // both shrink in place
	current := d.watch
	d.mu.Unlock()
	d.group.Drained()
	for _, m := range mirrors {
		<-m.stopped
	}
	for _, w := range watches {
		if w != current {
			<-w.stopped
		}
	}
}

// saw takes in what exists. It tells which exchanges are federated.
func (d *downstream) saw(w *watch, have inventory) (federated []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watch != w {
		return nil
	}
	if d.problem != nil && d.have != nil {
		d.log.Info("downstream can be listed again", "broker", d.plan.to.name)
	}
	d.problem = nil
	d.have = &have
	d.reconcile()
	return d.federated()
}

// federated are the exchanges that have links.
func (d *downstream) federated() []string {
	var names []string
	for _, m := range d.mirrors {
		names = append(names, m.pair.exchange.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// observed are the bindings of an exchange at a time. All that was bound when they were asked for, and is still, is among
// them.
type observed struct {
	bindings []broker.Binding
	asked    time.Time
}

// bound takes in the bindings of an exchange.
func (d *downstream) bound(w *watch, exchange string, o observed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watch != w {
		return
	}
	old, known := d.bindings[exchange]
	changed := !known || len(without(old.bindings, o.bindings))+len(without(o.bindings, old.bindings)) > 0
	d.bindings[exchange] = o
	for _, m := range d.mirrors {
		if m.pair.exchange.Name == exchange {
			m.want(o, changed)
		}
	}
}

// again has the bindings of an exchange read soon.
func (d *downstream) again(exchange string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watch == nil {
		return
	}
	select {
	case d.watch.asked <- exchange:
	default: // they are read all the same, later
	}
}

// unknown notes that it cannot be known what exists. Links go on as they are.
func (d *downstream) unknown(w *watch, err error, next time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watch != w {
		return
	}
	since := time.Now()
	if d.problem != nil {
		since = d.problem.Since
	} else {
		d.log.Warn("downstream cannot be listed; federation goes on as it was", "broker", d.plan.to.name, "error", err)
	}
	d.problem = &Problem{Broker: d.plan.to.name, Text: err.Error(), Since: since, NextTry: next}
}

// reconcile makes links and mirrors those that plan and inventory ask for.
func (d *downstream) reconcile() {
	if d.have == nil {
		return
	}
	pairs, wrong := d.plan.pairs(*d.have, d.log)
	d.judge(wrong)
	var specs []link.Spec
	wanted := map[string]bool{}
	for _, p := range pairs {
		if p.exchange == nil {
			specs = append(specs, queueSpec(p))
			continue
		}
		wanted[p.key()] = true
		specs = append(specs, exchangeSpec(d.mirror(p)))
	}
	for key, m := range d.mirrors {
		if !wanted[key] {
			d.retire(m, true)
			delete(d.mirrors, key)
		}
	}
	federated := d.federated()
	for exchange := range d.bindings {
		if _, ok := slices.BinarySearch(federated, exchange); !ok {
			delete(d.bindings, exchange)
		}
	}
	for i := range specs {
		d.prepare(&specs[i])
	}
	changes := d.group.Apply(specs)
	if len(changes.Started)+len(changes.Restarted)+len(changes.Stopped) > 0 {
		d.log.Info("federated", "broker", d.plan.to.name, "started", brief(changes.Started), "restarted", brief(changes.Restarted),
			"stopped", brief(changes.Stopped), "kept", len(changes.Kept))
	}
}

// mirror finds the mirror of a pair, or starts one.
func (d *downstream) mirror(p pair) *mirror {
	key := p.key()
	old := d.mirrors[key]
	if old != nil && old.pair.version() == p.version() {
		return old
	}
	m := newMirror(p, d.ups[p.from.name], d.noticed)
	m.again, m.onUnbind = d.again, d.unbound
	if old != nil {
		d.retire(old, false)
	} else {
		for _, left := range d.leaving { // the last one may be unbinding the buffer just now
			if left.pair.key() == key {
				old = left
			}
		}
	}
	d.mirrors[key] = m
	if o, known := d.bindings[p.exchange.Name]; known {
		m.want(o, true)
	}
	m.start(d.ctx, &d.running, old)
	return m
}

// doubt has mirrors of a buffer look at it again.
func (d *downstream) doubt(buffer string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.mirrors {
		if m.base == buffer {
			m.doubt()
		}
	}
}

// retire stops a mirror. gone: nobody wants what is in its buffer.
func (d *downstream) retire(m *mirror, gone bool) {
	m.stop(gone && d.ctx.Err() == nil)
	d.leaving = append(slices.DeleteFunc(d.leaving, (*mirror).hasStopped), m)
}

// noticed tells how changes downstream are noticed.
func (d *downstream) noticed() string {
	if text := d.noticedBy.Load(); text != nil {
		return *text
	}
	return ""
}

// judge notes what is wrong with policies.
func (d *downstream) judge(wrong map[string]string) {
	for policy, text := range wrong {
		if old := d.policies[policy]; old == nil || old.Text != text {
			d.log.Warn("policy needs attention", "policy", policy, "broker", d.plan.to.name, "problem", text)
			d.policies[policy] = &Problem{Policy: policy, Broker: d.plan.to.name, Text: text, Since: time.Now()}
		}
	}
	for policy := range d.policies {
		if _, still := wrong[policy]; !still {
			delete(d.policies, policy)
		}
	}
}

// brief is a list of names for the log.
func brief(names []string) string {
	const most = 5
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}
