package shovel

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weir/broker"
	"weir/link"
)

// How often the depth is read: more often when a threshold is near, so that the gate shuts close to its stop.
const (
	watchEvery = time.Second
	nearEvery  = 200 * time.Millisecond
)

// decisionsKept bounds the decisions that status shows.
const decisionsKept = 10

// Watch is a queue, or stream and consumer, whose depth is read.
type Watch struct {
	Name   string // the broker's
	Broker broker.Broker
	At     broker.Address
}

func (w Watch) String() string { return w.Name + " " + w.At.String() }

func (w Watch) read(ctx context.Context) (broker.Depth, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return w.Broker.Depth(ctx, w.At)
}

// Overflow is a gate that opens while a queue is over its thresholds. Once open it stays open, whatever becomes of the
// sessions meanwhile, until the stop thresholds are reached or a hand shuts it.
type Overflow struct {
	watch      Watch
	thresholds Thresholds
	route      func() (destination string, passedOver []string)
	log        *slog.Logger

	mu        sync.Mutex
	mode      link.Mode
	turned    chan struct{} // closed when mode changes
	open      bool
	since     time.Time
	held      time.Time // since when the start has held; zero: it does not
	depth     broker.Depth
	unread    error // why the depth could not be read, nil if it was
	why       string
	switches  int64
	decisions []link.Decision
}

// NewOverflow makes the gate, shut. route tells where messages would go, for the record of each decision.
func NewOverflow(w Watch, t Thresholds, route func() (string, []string), log *slog.Logger) *Overflow {
	return &Overflow{
		watch: w, thresholds: t, route: route, log: log,
		mode: link.Auto, turned: make(chan struct{}), since: time.Now(),
	}
}

// Open implements link.Gate.
func (o *Overflow) Open(ctx context.Context) (context.Context, func(), error) {
	for !o.step(ctx) {
		if err := o.pause(ctx); err != nil {
			return nil, nil, err
		}
	}
	open, shut := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer shut()
		for o.pause(open) == nil && o.step(open) {
		}
	})
	return open, func() { shut(); watching.Wait() }, nil
}

// pause waits until the next reading is due, or a hand changed the mode.
func (o *Overflow) pause(ctx context.Context) error {
	o.mu.Lock()
	turned := o.turned
	near := o.thresholds.judge(o.depth, o.open).near || !o.held.IsZero()
	o.mu.Unlock()
	every := watchEvery
	if near {
		every = nearEvery
	}
	timer := time.NewTimer(every)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-turned:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// step reads the depth and decides. It tells whether the gate is open.
func (o *Overflow) step(ctx context.Context) bool {
	depth, err := o.watch.read(ctx)
	if ctx.Err() != nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		if o.unread == nil {
			o.log.Warn("depth cannot be read, the last decision stands", "watch", o.watch.String(), "error", err)
		}
		depth = broker.Depth{At: time.Now()}
	}
	o.unread, o.depth = err, depth
	v := o.thresholds.judge(depth, o.open)
	switch {
	case o.mode == link.On:
		v.open, v.why = true, "switched on by hand"
	case o.mode == link.Off:
		v.open, v.why = false, "switched off by hand"
	case !v.known:
		return o.open
	case v.open && !o.open && !o.heldLongEnough(depth.At):
		o.why = v.why
		return false
	}
	o.why, o.held = v.why, time.Time{}
	if v.open != o.open {
		o.decide(v.open)
	}
	return o.open
}

// heldLongEnough tells whether the start has held for as long as it must.
func (o *Overflow) heldLongEnough(now time.Time) bool {
	if o.held.IsZero() {
		o.held = now
	}
	return now.Sub(o.held) >= o.thresholds.For
}

// decide opens or shuts, and records it once.
func (o *Overflow) decide(open bool) {
	d := link.Decision{At: time.Now(), Open: open, Why: o.why, Depth: link.Read(o.depth)}
	word := "overflow shuts"
	if open {
		word = "overflow opens"
		d.Destination, d.PassedOver = o.route()
	}
	o.open, o.since = open, d.At
	o.switches++
	o.decisions = append([]link.Decision{d}, o.decisions...)
	if len(o.decisions) > decisionsKept {
		o.decisions = o.decisions[:decisionsKept]
	}
	o.log.Info(word, "why", d.Why, "watch", o.watch.String(), "ready", o.depth.Ready.String(),
		"unacked", o.depth.Unacked.String(), "consumers", o.depth.Consumers.String(),
		"oldest-at-least", o.depth.OldestAtLeast.String(), "destination", d.Destination, "passed-over", d.PassedOver)
}

// Shut implements link.Gate.
func (o *Overflow) Shut() (link.State, string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.open:
		return "", ""
	case o.mode == link.Off:
		return link.Shut, o.why
	case o.unread != nil:
		return link.Shut, fmt.Sprintf("depth of %s cannot be read: %v", o.watch, o.unread)
	case o.why == "":
		return link.Shut, "depth of " + o.watch.String() + " not read yet"
	case !o.held.IsZero():
		return link.Shut, fmt.Sprintf("%s; held for %v of %v", o.why, o.depth.At.Sub(o.held).Round(100*time.Millisecond), o.thresholds.For)
	}
	return link.Shut, o.why
}

// Override implements link.Switch.
func (o *Overflow) Override(mode link.Mode) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if mode == o.mode {
		return
	}
	o.mode = mode
	close(o.turned)
	o.turned = make(chan struct{})
}

// Overflow implements link.Switch.
func (o *Overflow) Overflow() link.OverflowStatus {
	o.mu.Lock()
	defer o.mu.Unlock()
	return link.OverflowStatus{
		Open:       o.open,
		Mode:       o.mode,
		Since:      o.since,
		Thresholds: o.thresholds.String(),
		Depth:      link.Read(o.depth),
		Switches:   o.switches,
		Decisions:  append([]link.Decision(nil), o.decisions...),
	}
}
