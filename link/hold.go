package link

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/broker"
)

// errHeldTooLong ends a session whose sink stayed away beyond the hold limit.
var errHeldTooLong = errors.New("no destination within the hold limit; messages were given back")

// drainRetry is how long a link that is to stop waits, at most, before it tries again to bring over what it holds.
const drainRetry = 500 * time.Millisecond

// losses are the sinks lost in a row, without a confirm in between.
type losses struct {
	n         int
	since     time.Time // when the first was lost
	confirmed int64     // how many had been then
	// suspicious: two in a row were lost without progress. Perhaps one message kills them; so what is held is sent with
	// care, on a connection of its own, and the broker's answer tells which, until all of it has passed.
	suspicious bool
}

// note counts a loss. confirmed is how many messages ever were; idle means that none was waiting to be.
func (l *losses) note(confirmed int64, idle bool) {
	if idle || confirmed > l.confirmed {
		l.n = 0
	}
	if l.n == 0 {
		l.since, l.confirmed = time.Now(), confirmed
	}
	l.n++
	l.suspicious = !idle && (l.suspicious || l.n >= 2)
}

// replaceSink opens another sink, with back-off, while the source keeps what it holds. errDrained: the link is to stop
// and nothing is left to be sent.
func (s *session) replaceSink(fault error) error {
	_ = s.sink.Close() // it is lost already
	s.board.reconnects.Add(1)
	s.losses.note(s.board.confirmed.Load(), len(s.pump.held) == 0)
	var delay time.Duration
	if time.Since(s.sinkOpened) > s.spec.Reconnect.Max {
		delay = s.sinkRetry.First()
	} else {
		delay = s.sinkRetry.Next()
	}
	fault = fmt.Errorf("destination lost: %w", fault)
	for {
		waiting := s.soft
		if s.soft.Err() != nil {
			if err := s.pump.probe(s.hard); err != nil {
				return err
			}
			waiting, delay = s.hard, min(delay, drainRetry)
		}
		left := time.Until(s.losses.since.Add(s.spec.HoldLimit))
		if left <= 0 {
			return fmt.Errorf("%w: %w", errHeldTooLong, fault)
		}
		attempt := max(s.losses.n, s.sinkRetry.Faults()) // losses count also after sessions that lasted and confirmed nothing
		if !s.standBack(waiting, Holding, fault, min(delay, left), attempt) {
			if s.hard.Err() != nil {
				return fault
			}
			continue
		}
		err := s.openSink(s.hard)
		if err == nil {
			s.log.Info("destination is back", "lost", s.losses.n)
			return nil
		}
		fault, delay = err, s.sinkRetry.Next()
	}
}

// awaitPlace waits until messages that no destination may take should be tried again, while nothing else can be done.
func (s *session) awaitPlace() error {
	s.say(Holding, s.nowhere())
	if !wait(s.soft, s.spec.NowhereDelay) {
		return errDrained // what is held is given back
	}
	return s.giveBackOverdue()
}

// giveBackOverdue returns what no destination may take, and has been held for too long, so that others can have it. The
// rest stays, in order.
func (s *session) giveBackOverdue() error {
	for i := 0; i < len(s.pump.held); {
		e := &s.pump.held[i]
		if !e.strandedFor(s.spec.HoldLimit) || s.spec.AckMode == NoAck {
			i++
			continue
		}
		if err := returnable(e.m); err != nil {
			return err
		}
		s.log.Warn("message given back: no destination may take it", "message-id", e.m.Properties.MessageID, "error", e.trouble.err)
		if err := s.pump.release(e, broker.Returned, Returned); err != nil {
			return err
		}
		s.pump.held = slices.Delete(s.pump.held, i, i+1)
		s.pump.left++
	}
	return nil
}
