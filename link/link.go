package link

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"weir/broker"
)

// Link is one supervised link. New makes it, Run runs it; the other methods may be called at any time.
type Link struct {
	spec    Spec
	log     *slog.Logger
	board   board
	pause   *pause
	samples *rate.Limiter // of depths, shared by links from one broker; nil: no limit
	total   int64         // what delete-after allows in all, once it is known
}

// New makes a link. It does nothing until Run.
func New(spec Spec, log *slog.Logger) *Link {
	l := &Link{spec: spec.withDefaults(), log: log.With("link", spec.Name), pause: newPause()}
	l.board.inFlight = newFlight()
	l.board.waits.init(waitBounds)
	l.board.confirms.init(tripBounds)
	l.board.transits.init(waitBounds)
	l.board.enter(Starting, "")
	if spec.Paused {
		const reason = "declared paused"
		l.pause.set(reason, false)
		l.board.enter(Paused, reason)
	}
	return l
}

// Run keeps the link going until ctx ends, and returns when it has stopped: what was in flight is confirmed and acked,
// or given back after DrainTimeout. It returns early when DeleteAfter is reached. Call it once.
func (l *Link) Run(ctx context.Context) {
	ctx, end := context.WithCancel(ctx)
	var sampling sync.WaitGroup
	sampling.Go(func() { l.sample(ctx) })
	defer sampling.Wait()
	defer end()
	owner := NewBackoff(l.spec.Reconnect)
	for l.mayRun(ctx) {
		run, cancel := l.pause.run(ctx)
		err := l.pass(run, l.spec.Owner, owner, l.own)
		cancel()
		if errors.Is(err, errTaken) {
			l.board.enter(Finished, "delete-after was reached")
			l.log.Info("link finished", "confirmed", l.board.confirmed.Load())
			return
		}
	}
	l.board.enter(Stopped, "")
}

// mayRun waits while the link is paused; false if ctx ended.
func (l *Link) mayRun(ctx context.Context) bool {
	for {
		reason, changed := l.pause.now()
		if reason == "" || ctx.Err() != nil {
			return ctx.Err() == nil
		}
		l.board.enter(Paused, reason)
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// own serves whenever the gate is open, until owned ends or the link is finished (errTaken).
func (l *Link) own(owned context.Context) error {
	retry := NewBackoff(l.spec.Reconnect)
	for owned.Err() == nil {
		if err := l.pass(owned, l.spec.Gate, retry, l.serve); err != nil {
			return err
		}
	}
	return nil
}

// pass waits for a gate and does something while it is open. It returns errTaken if the link is finished, and otherwise
// when the gate has shut or ctx has ended.
func (l *Link) pass(ctx context.Context, gate Gate, retry *Backoff, within func(context.Context) error) error {
	if state, why := gate.Shut(); why != "" {
		l.board.enter(state, why)
	} else {
		l.board.enter(Shut, "") // until Open has said more; see Status
	}
	var (
		open context.Context
		done func()
	)
	err := guard(func() (err error) {
		open, done, err = gate.Open(ctx)
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			l.standBack(ctx, Retrying, err, retry.Next(), retry.Faults())
		}
		return nil
	}
	defer done()
	retry.Reset()
	l.board.enter(Starting, "")
	return within(open)
}

// serve runs sessions with back-off until ctx ends, the link pauses itself (both nil), or it is finished (errTaken).
func (l *Link) serve(ctx context.Context) error {
	retry := NewBackoff(l.spec.Reconnect)
	for {
		s := l.newSession(ctx)
		err := s.live()
		var self *pausedError
		switch {
		case errors.Is(err, errTaken):
			return err
		case errors.As(err, &self):
			l.log.Error("link pauses itself", "reason", self.reason)
			l.pause.set(self.reason, false)
			return nil
		case ctx.Err() != nil:
			if err != nil {
				l.log.Warn("link stopped", "error", err)
			}
			return nil
		}
		if s.lasted() {
			retry.Reset()
		}
		if !s.sourceOpened.IsZero() {
			l.board.reconnects.Add(1)
		}
		if !l.standBack(ctx, Retrying, err, retry.Next(), retry.Faults()) {
			return nil
		}
	}
}

// standBack tells what went wrong, how often in a row, and when the next try is, and waits for it; false if ctx ended first.
func (l *Link) standBack(ctx context.Context, state State, fault error, delay time.Duration, attempt int) bool {
	if errors.Is(fault, broker.ErrDenied) || errors.Is(fault, broker.ErrUnsupported) {
		state, delay = Denied, l.spec.Reconnect.Max // an operator must act: trying harder does not help
	}
	l.board.fault(state, fault, delay, attempt)
	about := []any{"state", state, "error", fault, "attempt", attempt, "next-try", delay.Round(time.Millisecond)}
	if p, ok := errors.AsType[*panicError](fault); ok {
		about = append(about, "stack", string(p.stack))
	}
	l.log.Warn("link waits for its next try", about...)
	defer l.board.trying()
	return wait(ctx, delay)
}

// Pause stops the link, drained, until Resume: an operator's word. reason is shown.
func (l *Link) Pause(reason string) { l.pause.set(reason, true) }

// Resume lets a paused link run.
func (l *Link) Resume() { l.pause.lift() }

// Override sets the mode of the link's overflow by hand; false if it has none.
func (l *Link) Override(mode Mode) bool {
	if l.spec.Switch == nil {
		return false
	}
	l.spec.Switch.Override(mode)
	return true
}

// Status is a snapshot.
func (l *Link) Status() Status {
	s := Status{
		Name:        l.spec.Name,
		Kind:        l.spec.Kind,
		Source:      l.spec.Source.String(),
		From:        l.spec.Source.Name,
		Destination: l.spec.Destination.String(),
		AckMode:     l.spec.AckMode,
	}
	for _, place := range l.spec.Destination.Places() {
		s.To = append(s.To, place.Broker)
	}
	if l.spec.AckMode != OnConfirm {
		s.Warning = "ack-mode " + string(l.spec.AckMode) + " may lose messages"
	}
	l.board.fill(&s)
	if l.spec.Heartbeat > 0 {
		s.Heartbeat = l.board.heart.status(l.spec.Heartbeat, time.Now())
	}
	if s.State == Shut || s.State == Standby {
		if s.State == Shut {
			s.State, s.Reason = Starting, "" // unless a gate is shut now
		}
		for _, gate := range []Gate{l.spec.Gate, l.spec.Owner} {
			if state, why := gate.Shut(); why != "" {
				s.State, s.Reason = state, why
			}
		}
	}
	if l.spec.Switch != nil {
		overflow := l.spec.Switch.Overflow()
		s.Overflow = &overflow
	}
	if l.spec.Describe != nil {
		l.spec.Describe(&s)
	}
	return s
}
