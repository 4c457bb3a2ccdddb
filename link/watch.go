package link

import (
	"context"
	"fmt"
	"time"

	"weir/broker"
)

// Ticks of the watch: short while messages move, so that the window grows within a second or two; long when idle, so
// that a thousand idle links cost nothing.
const (
	busyTick = 250 * time.Millisecond
	idleTick = time.Second
)

// watch looks at a round from the side: it tells running from idle and blocked, sizes the window, ends a session whose
// confirms are overdue, and lets held messages try again.
func (s *session) watch(ctx context.Context, interrupt context.CancelCauseFunc) {
	var (
		last      = time.Now()
		triedHeld = last
		unblocked = last // confirm-timeout stands still while the broker has asked us to wait
		tick      = time.NewTimer(busyTick)
	)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		n, latency, size := s.pump.lag.take()
		moved := n > 0
		blocked := s.blockedReason()
		if blocked != "" {
			unblocked = now
		}
		oldest, inFlight := s.pump.flight.front()
		overdue := inFlight && now.Sub(later(oldest.sent, unblocked)) > s.spec.ConfirmTimeout
		held := s.board.held.Load()

		switch {
		case blocked != "":
			s.say(Blocked, "destination: "+blocked)
		case overdue:
			s.log.Warn("confirm overdue, destination session is given up", "timeout", s.spec.ConfirmTimeout)
			_ = s.sink.Close()
		case moved || inFlight:
			s.say(Running, "")
		case held > 0:
			s.say(Holding, fmt.Sprintf("%d messages have nowhere to go: %s", held, s.route()))
		default:
			s.say(Idle, "")
		}
		if held > 0 && now.Sub(triedHeld) > s.spec.NowhereDelay {
			interrupt(errTryHeld)
			return
		}
		if moved || held > 0 {
			s.tune(ctx, pace{
				rate:      float64(n) / now.Sub(last).Seconds(),
				roundTrip: latency + s.sourceRoundTrip(),
				size:      size,
				peak:      s.pump.flight.takePeak(),
			}, now)
		}
		last = now
		if moved {
			tick.Reset(max(busyTick, 4*latency))
		} else {
			tick.Reset(idleTick)
		}
	}
}

// say enters a state and logs the change.
func (s *session) say(state State, reason string) {
	if was := s.board.current(); s.board.enter(state, reason) && (state == Blocked || state == Holding || was == Blocked || was == Holding) {
		s.log.Warn("link is "+string(state), "was", was, "reason", reason)
	}
	s.board.setRoute(s.route())
}

func (s *session) route() string {
	if r, ok := s.sink.(broker.Router); ok {
		return r.Route()
	}
	return s.spec.Destination.String()
}

func (s *session) blockedReason() string {
	b, ok := s.sink.(broker.Blocker)
	if !ok {
		return ""
	}
	reason, _ := b.Blocked()
	return reason
}

func (s *session) sourceRoundTrip() time.Duration {
	if t, ok := s.source.(broker.RoundTripper); ok {
		return t.RoundTrip()
	}
	return 0
}

// tune resizes the source's window if it should be another. What has nowhere to go is held beside it, so that it does
// not keep others from leaving.
func (s *session) tune(ctx context.Context, p pace, now time.Time) {
	r, ok := s.source.(broker.Resizer)
	if !ok || s.soft.Err() != nil {
		return
	}
	was := int(s.board.window.Load())
	s.window.next(p, now)
	size := s.window.beside(s.pump.held())
	if size == was {
		return
	}
	if err := r.Resize(ctx, size); err != nil {
		s.log.Debug("window not changed", "error", err) // a lost session shows at Receive
		return
	}
	s.board.window.Store(int64(size))
	s.log.Debug("window changed", "from", was, "to", size)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
