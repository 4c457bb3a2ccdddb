package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"weir/broker"
)

// Link is one supervised link. New makes it, Run runs it.
type Link struct {
	spec  Spec
	log   *slog.Logger
	board board
	pause pause
	total int64 // what delete-after allows in all, once it is known
}

// New makes a link. It does nothing until Run.
func New(spec Spec, log *slog.Logger) *Link {
	l := &Link{spec: spec.withDefaults(), log: log.With("link", spec.Name)}
	l.board.inFlight = newFlight()
	l.board.enter(Starting, "")
	if spec.Paused {
		l.pause.set("declared paused", false)
	}
	return l
}

// Run keeps the link going until ctx ends, and returns when it has stopped: what was in flight is confirmed and acked,
// or given back after DrainTimeout.
func (l *Link) Run(ctx context.Context) {
	for ctx.Err() == nil {
		open, done, err := l.mayRun(ctx)
		if err != nil {
			continue // paused meanwhile, or ctx ended
		}
		err = l.serve(open)
		done()
		if errors.Is(err, errTaken) {
			l.board.enter(Finished, "delete-after was reached")
			l.log.Info("link finished", "confirmed", l.board.confirmed.Load())
			return
		}
	}
	l.board.enter(Stopped, "")
}

// mayRun waits until the link is neither paused nor shut by its gate. What it returns ends when either changes.
func (l *Link) mayRun(ctx context.Context) (context.Context, func(), error) {
	if reason, lifted := l.pause.now(); reason != "" {
		l.board.enter(Paused, reason)
		select {
		case <-lifted:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	resumed, cancel := l.pause.run(ctx)
	if state, why := l.spec.Gate.Shut(); why != "" {
		l.board.enter(state, why)
	}
	open, done, err := l.spec.Gate.Open(resumed)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return open, func() { done(); cancel() }, nil
}

// serve runs sessions with back-off until ctx ends, the link pauses itself, or it is finished.
func (l *Link) serve(ctx context.Context) error {
	retry := newDelays(l.spec.Reconnect)
	for {
		began := time.Now()
		err := l.session(ctx)
		var stop *pausedError
		switch {
		case errors.Is(err, errTaken):
			return err
		case errors.As(err, &stop):
			l.log.Error("link pauses itself", "reason", stop.reason)
			l.pause.set(stop.reason, false)
			return nil
		case ctx.Err() != nil:
			if err != nil {
				l.log.Warn("link stopped", "error", err)
			}
			return nil
		}
		if time.Since(began) > l.spec.Reconnect.Max {
			retry.reset()
		}
		state, delay := Retrying, retry.next()
		if errors.Is(err, broker.ErrDenied) || errors.Is(err, broker.ErrUnsupported) {
			state, delay = Denied, l.spec.Reconnect.Max // an operator must act: trying harder does not help
		}
		attempt := l.board.fault(err, delay)
		l.board.reconnects.Add(1)
		l.board.enter(state, err.Error())
		l.log.Warn("link failed", "error", err, "attempt", attempt, "next-try", delay.Round(time.Millisecond))
		if !wait(ctx, delay) {
			return nil
		}
	}
}

// Pause stops the link, drained, until Resume: an operator's word. reason is shown.
func (l *Link) Pause(reason string) { l.pause.set(reason, true) }

// Resume lets a paused link run.
func (l *Link) Resume() { l.pause.lift() }

// reckonTotal finds out, once, how many messages delete-after allows.
func (l *Link) reckonTotal(ctx context.Context) error {
	switch {
	case l.total > 0 || l.spec.DeleteAfter == 0:
	case l.spec.DeleteAfter > 0:
		l.total = l.spec.DeleteAfter
	default:
		depth, err := l.spec.Source.Broker.Depth(ctx, l.spec.Source.At)
		if err != nil {
			return fmt.Errorf("length of %s: %w", l.spec.Source, err)
		}
		if !depth.Ready.Known {
			return fmt.Errorf("length of %s is not known yet", l.spec.Source)
		}
		l.total = depth.Ready.N
	}
	return nil
}

// remaining is how many messages delete-after leaves.
func (l *Link) remaining() int64 {
	b := &l.board
	return l.total - b.confirmed.Load() - b.dropped.Load() - b.deadLettered.Load() - b.rejected.Load()
}

// Status is a snapshot.
func (l *Link) Status() Status {
	s := Status{
		Name:        l.spec.Name,
		Kind:        l.spec.Kind,
		Source:      l.spec.Source.String(),
		Destination: l.spec.Destination.String(),
		AckMode:     l.spec.AckMode,
	}
	if l.spec.AckMode != OnConfirm {
		s.Warning = "ack-mode " + string(l.spec.AckMode) + " may lose messages"
	}
	l.board.fill(&s)
	if s.State == Shut || s.State == Standby {
		if state, why := l.spec.Gate.Shut(); why != "" {
			s.State, s.Reason = state, why
		}
	}
	if l.spec.Switch != nil {
		overflow := l.spec.Switch.Overflow()
		s.Overflow = &overflow
	}
	return s
}

// Override sets the mode of the link's overflow by hand; false if it has none.
func (l *Link) Override(mode Mode) bool {
	if l.spec.Switch == nil {
		return false
	}
	l.spec.Switch.Override(mode)
	return true
}
