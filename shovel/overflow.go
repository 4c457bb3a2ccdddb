package shovel

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weir/broker"
	"weir/link"
)

// decisionsKept bounds the decisions that status shows.
const decisionsKept = 10

// overflow is a gate that opens while a queue is over its thresholds. Once open it stays open, whatever becomes of the
// sessions meanwhile, until the stop thresholds are reached or a hand shuts it.
type overflow struct {
	watch      watch
	thresholds thresholds
	// survey looks at the destinations and tells where messages would go, for the record of a decision.
	survey   func(context.Context) (destination string, passedOver []string)
	log      *slog.Logger
	budget   *budget
	stranded stranded

	mu        sync.Mutex
	mode      link.Mode
	judgedBy  link.Mode // the mode when the last reading was judged
	watched   bool      // by a link that runs, or would
	open      bool      // what was decided last
	since     time.Time
	held      time.Time    // since when the start has held; zero: it does not
	depth     broker.Depth // the last reading
	unread    error        // why the depth could not be read, nil if it was
	unreadAt  time.Time    // since when
	why       string
	switches  int64
	decisions []link.Decision
}

func newOverflow(w watch, t thresholds, survey func(context.Context) (string, []string), log *slog.Logger) *overflow {
	return &overflow{
		watch: w, thresholds: t, survey: survey, log: log, budget: newBudget(), mode: link.Auto, since: time.Now(),
	}
}

// Open implements link.Gate.
func (o *overflow) Open(ctx context.Context) (context.Context, func(), error) {
	o.begin()
	if err := o.until(ctx, true); err != nil {
		o.leave()
		return nil, nil, err
	}
	open, shut := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer shut()
		if o.pause(open) {
			_ = o.until(open, false) // the gate is shut either way
		}
	})
	return open, func() { shut(); watching.Wait(); o.leave() }, nil
}

// begin begins to watch: nobody knows whether the start has held meanwhile.
func (o *overflow) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watched, o.held = true, time.Time{}
}

// leave ceases to watch, because the link is paused, stops, or is another gateway's.
func (o *overflow) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watched = false
}

// until watches until the gate is open, or shut, or ctx ends.
func (o *overflow) until(ctx context.Context, open bool) error {
	for o.step(ctx) != open {
		if !o.pause(ctx) {
			break
		}
	}
	return ctx.Err()
}

// pause waits until the next reading is due, or a hand has changed the mode; false if ctx ended first.
func (o *overflow) pause(ctx context.Context) bool {
	return o.budget.pause(ctx, o.next())
}

// next is how long to wait for the next reading if not much leaves.
func (o *overflow) next() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch left := o.thresholds.hold - o.depth.At.Sub(o.held); {
	case !o.held.IsZero() && left > 0:
		return min(watchEvery, left)
	case o.open && !o.depth.Ready.Known: // busy, perhaps with what leaves
		return retryEvery
	}
	return watchEvery
}

// step reads the depth and decides. It tells whether the gate is open.
func (o *overflow) step(ctx context.Context) (open bool) {
	depth, err := o.watch.read(ctx)
	if ctx.Err() != nil {
		return false
	}
	open, change := o.consider(depth, err)
	if !change {
		return open
	}
	d := link.Decision{Open: !open}
	if d.Open {
		if d.Destination, d.PassedOver = o.survey(ctx); ctx.Err() != nil {
			return false
		}
	}
	if !o.decide(d) {
		return open
	}
	return d.Open
}

// consider takes a reading, and tells whether the gate is open and whether that should change.
func (o *overflow) consider(depth broker.Depth, err error) (open, change bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err != nil && o.unread == nil:
		o.log.Warn("depth cannot be read, the last decision stands", "watch", o.watch.String(), "error", err)
		o.unreadAt = depth.At
	case err == nil && o.unread != nil && depth.At.Sub(o.unreadAt) > unwatched:
		o.held = time.Time{} // nobody knows whether the start has held meanwhile
	}
	o.unread, o.depth, o.judgedBy = err, depth, o.mode
	counts, besides := depth, ""
	if !o.open {
		counts, besides = o.stranded.discount(depth)
	}
	reached, why := o.thresholds.judge(counts, o.open)
	if reached == unknown && besides != "" {
		reached = no
	}
	o.why = why + besides
	if o.mode == link.Auto {
		o.budget.set(o.thresholds.budget(depth))
	}
	switch {
	case o.mode != link.Auto:
		o.why, o.held = "switched "+string(o.mode)+" by hand", time.Time{}
		return o.open, o.open != (o.mode == link.On)
	case reached == no:
		o.held = time.Time{}
	case reached == yes && o.open:
		return true, true
	case reached == yes:
		return false, o.heldLongEnough()
	}
	return o.open, false
}

// heldLongEnough tells whether the start has held for as long as it must.
func (o *overflow) heldLongEnough() bool {
	if o.held.IsZero() {
		o.held = o.depth.At
	}
	return o.depth.At.Sub(o.held) >= o.thresholds.hold
}

// decide opens or shuts, and records it once; not if a hand has changed the mode meanwhile.
func (o *overflow) decide(d link.Decision) (done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mode != o.judgedBy {
		return false
	}
	d.At, d.Why, d.Depth = time.Now(), o.why, link.Read(o.depth)
	o.open, o.since, o.held = d.Open, d.At, time.Time{}
	o.switches++
	o.decisions = slices.Insert(o.decisions, 0, d)
	o.decisions = o.decisions[:min(len(o.decisions), decisionsKept)]
	about := []any{
		"why", d.Why, "watch", o.watch.String(), "ready", o.depth.Ready.String(), "unacked", o.depth.Unacked.String(),
		"consumers", o.depth.Consumers.String(), "oldest-at-least", o.depth.OldestAtLeast.String(),
	}
	if d.Open {
		o.log.Info("overflow opens", append(about, "destination", d.Destination, "passed-over", d.PassedOver)...)
	} else {
		o.log.Info("overflow shuts", about...)
	}
	return true
}

// Shut implements link.Gate.
func (o *overflow) Shut() (link.State, string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.open:
		return "", ""
	case o.unread != nil && o.mode == link.Auto:
		return link.Shut, fmt.Sprintf("depth of %s cannot be read: %v", o.watch, o.unread)
	case o.why == "":
		return link.Shut, "depth of " + o.watch.String() + " not read yet"
	case !o.held.IsZero():
		held := min(o.depth.At.Sub(o.held), o.thresholds.hold)
		return link.Shut, fmt.Sprintf("%s; held for %v of %v", o.why, held.Round(100*time.Millisecond), o.thresholds.hold)
	}
	return link.Shut, o.why
}

// reading is the last one of the depth; its time is zero if it could not be read.
func (o *overflow) reading() broker.Depth {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unread != nil {
		return broker.Depth{}
	}
	return o.depth
}

// Override implements link.Switch.
func (o *overflow) Override(mode link.Mode) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mode = mode
	o.budget.look()
}

// Overflow implements link.Switch.
func (o *overflow) Overflow() link.OverflowStatus {
	o.mu.Lock()
	defer o.mu.Unlock()
	return link.OverflowStatus{
		Open:       o.open && o.watched,
		Mode:       o.mode,
		Since:      o.since,
		Thresholds: o.thresholds.String(),
		Depth:      link.Read(o.depth),
		Switches:   o.switches,
		Decisions:  slices.Clone(o.decisions),
	}
}
