package link

import (
	"context"
	"fmt"
	"time"

	"weir/broker"
)

// Ticks of the watch: short while messages move, so that the window grows within a second or two, and several round trips
// and many messages long, so that what is measured means something; long when idle, so that a thousand idle links cost
// nothing.
const (
	fastTick  = 100 * time.Millisecond // where many messages take no longer
	busyTick  = 250 * time.Millisecond
	shortTick = 10 * time.Millisecond
	slowTick  = 2 * time.Second
	idleTick  = time.Second
)

const manyMessages = 5000

// resizeTimeout bounds how long a broker may take to change a window; meanwhile nothing else is watched.
const resizeTimeout = 10 * time.Second

// watch looks at a round from the side: it tells running from idle and blocked, sizes the window, ends a session whose
// confirms are overdue, and lets stranded messages try again.
func (s *session) watch(ctx context.Context, r *round) {
	var (
		began     = time.Now()
		last      = began
		unblocked = began // confirm-timeout stands still while the broker has asked us to wait
		settling  = false // the window has just changed: what is measured belongs to neither
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
		throttled := r.throttled.Load() // before the rest, where what is sent meanwhile shows
		n, latency, size := r.meter.take()
		oldest, inFlight := r.flight.front()
		blocked := s.blocked(r)
		if blocked != "" {
			unblocked = now
		}
		if inFlight && now.Sub(later(oldest.sent, unblocked)) > s.spec.ConfirmTimeout && r.givenUp == nil {
			r.givenUp = fmt.Errorf("%w: no confirm within %s", broker.ErrLost, s.spec.ConfirmTimeout)
			_ = s.sink.Close()
		}
		s.countExpired()
		s.describe(r, blocked, n > 0 || throttled, inFlight)
		if r.stranded.Load() > 0 && now.Sub(began) >= s.spec.NowhereDelay {
			r.halt(errTryHeld)
			return
		}
		p := pace{
			rate:      float64(n) / now.Sub(last).Seconds(),
			roundTrip: latency + s.sourceRoundTrip(),
			size:      size,
			stranded:  int(r.stranded.Load()),
		}
		next := idleTick
		if n > 0 {
			next = min(max(p.timeFor(manyMessages), fastTick), busyTick)
			next = min(max(next, 4*latency), slowTick)
		}
		switch {
		case settling:
			settling = false
		case s.tune(ctx, p, now):
			settling, next = true, min(max(2*p.roundTrip, shortTick), slowTick)
		}
		last = now
		tick.Reset(next)
	}
}

// countExpired takes over what the source has counted since it was asked last.
func (s *session) countExpired() {
	if e, ok := s.source.(broker.Expirer); ok {
		n := e.Expired()
		s.board.expired.Add(int64(n - s.expired))
		s.expired = n
	}
}

// describe says in the status what the round does.
func (s *session) describe(r *round, blocked string, moved, inFlight bool) {
	switch {
	case blocked != "":
		s.say(Blocked, "destination: "+blocked)
	case r.retry && s.board.current() != Blocked:
		// awaitRetry has said it.
	case moved, inFlight && s.board.current() != Holding:
		s.say(Running, "")
	case r.stranded.Load() > 0:
		s.say(Holding, s.nowhere())
	case inFlight:
		// Holding stands until something is confirmed.
	default:
		s.atRest()
	}
	s.board.setRoute(s.route())
}

// atRest says why nothing moves in a link that is open and holds nothing.
func (s *session) atRest() {
	if why := s.standby(); why != "" {
		s.say(Standby, why)
	} else if why := s.stuck(); why != "" {
		s.say(Stuck, why)
	} else {
		s.say(Idle, "")
	}
}

// nowhere is why messages are held that no destination may take.
func (s *session) nowhere() string {
	return fmt.Sprintf("%d messages have nowhere to go: %v", s.board.held.Load(), s.board.stranded())
}

// say enters a state, and logs what an operator should know.
func (s *session) say(state State, reason string) {
	if reason == "" && s.soft.Err() != nil {
		reason = "draining"
	}
	was := s.board.enter(state, reason)
	notable := func(s State) bool { return s == Blocked || s == Holding || s == Stuck }
	about := []any{"state", state, "was", was, "reason", reason}
	switch {
	case was == state:
	case notable(state), notable(was):
		s.log.Warn("link changed state", about...)
	case state == Standby, was == Standby:
		s.log.Info("link changed state", about...)
	}
}

func (s *session) route() string {
	if r, ok := s.sink.(broker.Router); ok {
		return r.Route()
	}
	return s.spec.Destination.String()
}

// blocked is why the destination's broker asks to wait, empty if it does not.
func (s *session) blocked(r *round) string {
	if b, ok := s.sink.(broker.Blocker); ok {
		if reason, _ := b.Blocked(); reason != "" {
			return reason
		}
	}
	reason, _ := r.blocked.Load().(string)
	return reason
}

func (s *session) sourceRoundTrip() time.Duration {
	if t, ok := s.source.(broker.RoundTripper); ok {
		return t.RoundTrip()
	}
	return 0
}

// tune resizes the source's window if it should be another, and tells whether it did.
func (s *session) tune(ctx context.Context, p pace, now time.Time) bool {
	source, ok := s.source.(broker.Resizer)
	if !ok || s.soft.Err() != nil {
		return false
	}
	was, to := s.window.sizing, s.window.next(p, now)
	if stepper, ok := source.(broker.Stepper); ok {
		to = s.window.stepped(to, p.size, stepper.Steps())
	}
	if to == was {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, resizeTimeout)
	defer cancel()
	if err := source.Resize(ctx, to.total()); err != nil {
		s.log.Debug("window not changed", "error", err) // a lost session shows at Receive
		return false
	}
	s.window.resized(to, p, now)
	s.board.window.Store(int64(to.total()))
	s.log.Debug("window changed", "from", was.total(), "to", to.total(), "rate", int(p.rate), "round-trip", p.roundTrip)
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
