package link_test

import (
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

func TestMessagesAreHeldWhileTheDestinationIsAway(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 10
		r.to.Latency(5 * time.Millisecond)
		r.put(200)
		r.start()
		r.arrived(5*time.Second, 50)
		r.to.Down(errAway)
		r.to.Cut()
		s := r.reaches(time.Second, link.Holding)
		began := s.Since
		r.during(9*time.Minute, "they are held", func() bool { return r.state() == link.Holding && r.unacked() == 10 })
		s = r.link.Status()
		if s.Held != 10 || s.InFlight != 0 {
			r.Errorf("%d held, %d in flight", s.Held, s.InFlight)
		}
		if !s.Since.Equal(began) {
			r.Errorf("holding since %v, then since %v", began, s.Since)
		}
		r.contains("the reason", s.Reason, "connection refused")
		if left := time.Until(s.NextTry); left < 0 || left > 2*time.Second {
			r.Errorf("next try in %v", left)
		}
		r.to.Up()
		r.arrived(5*time.Second, 200)
		r.exactly(200)
		r.empty()
		if again := r.source.returned(); len(again) > 0 {
			r.Errorf("given back: %v", again)
		}
		r.reaches(5*time.Second, link.Idle)
		if s := r.link.Status(); s.Attempt != 0 || !s.NextTry.IsZero() || s.LastError == "" {
			r.Errorf("after it: %+v", s)
		}
	})
}

// Beyond the hold limit everything is given back, once, and nothing is consumed before there is a destination again.
func TestHoldLimitGivesBackOnce(t *testing.T) {
	play(t, func(r *rig) {
		r.from.Declare("quorum", memory.Queue{DeliveryLimit: 20})
		r.spec.Source.At = broker.Address{Queue: "quorum"}
		r.spec.HoldLimit = 5 * time.Minute
		r.to.Latency(5 * time.Millisecond)
		for i := range 100 {
			r.from.Put("quorum", number(i))
		}
		r.start()
		r.arrived(5*time.Second, 30)
		r.to.Down(errAway)
		r.to.Cut()
		r.during(5*time.Minute-3*time.Second, "they are held", func() bool { return len(r.from.Bodies("quorum")) < 70 })
		r.until(5*time.Second, "they are back", func() bool { return len(r.from.Bodies("quorum")) == 100-len(r.out()) })
		r.contains("the last error", r.log.String(), "no destination within the hold limit")
		r.during(3*time.Hour, "nothing is consumed", func() bool {
			sources, _ := r.from.Opened()
			return sources == 1
		})
		for _, m := range r.from.Messages("quorum") {
			if m.Origin.Returns > 1 {
				r.Fatalf("%s was given back %d times", m.Body, m.Origin.Returns)
			}
		}
		if s := r.link.Status(); s.State != link.Retrying || s.Held != 0 {
			r.Errorf("status %+v", s)
		}
		r.to.Up()
		r.arrived(10*time.Second, 100)
		r.exactly(100)
	})
}

// A destination that opens and is lost again and again is no destination.
func TestHoldLimitCountsFromTheLastProgress(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.HoldLimit = time.Minute
		r.spec.Destination = chokes(r, number(0), broker.ErrLost)
		r.put(1)
		r.start()
		r.during(59*time.Second, "it is held", func() bool { return len(r.source.returned()) == 0 })
		r.until(10*time.Second, "it was given back", func() bool { return len(r.source.returned()) == 1 })
	})
}

// Nor is one that takes messages and is lost before it confirms any: the link is holding all the while.
func TestStateWhileADestinationIsLostAgainAndAgain(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Destination = destination{Destination: r.spec.Destination, wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
			time.AfterFunc(3*time.Second, func() { _ = s.Close() })
			return s
		}}
		r.to.HoldConfirms()
		r.put(5)
		r.start()
		s := r.reaches(5*time.Second, link.Holding)
		r.during(5*time.Minute, "it is holding", func() bool { return r.state() == link.Holding })
		if again := r.link.Status(); !again.Since.Equal(s.Since) || again.Attempt < 50 {
			r.Errorf("first %+v, then %+v", s, again)
		}
	})
}

// The next try is told while it is awaited, not while it is under way.
func TestNextTryIsInTheFuture(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Down(errAway)
		r.spec.Reconnect = link.Delays{Min: 10 * time.Second, Max: 10 * time.Second}
		r.start()
		s := r.reaches(time.Second, link.Retrying)
		if !s.NextTry.After(time.Now()) {
			r.Errorf("next try at %v, now is %v", s.NextTry, time.Now())
		}
		r.to.Silent()
		r.after(12 * time.Second)
		if s := r.link.Status(); s.State != link.Retrying || !s.NextTry.IsZero() {
			r.Errorf("%+v", s)
		}
	})
}

// A queue drops what has come back too often; the link pauses itself before that, and says why.
func TestReturnsLimitPausesTheLink(t *testing.T) {
	play(t, func(r *rig) {
		r.from.Declare("dead", memory.Queue{})
		r.from.Declare("quorum", memory.Queue{DeliveryLimit: 20, DeadLetter: "dead"})
		r.spec.Source.At = broker.Address{Queue: "quorum"}
		r.strands(0, 1, 2, 3, 4)
		for i := range 5 {
			r.from.Put("quorum", number(i))
		}
		r.start()
		for i := range 30 {
			if r.state() == link.Paused {
				break
			}
			r.until(10*time.Second, "they are held, or it is paused", func() bool {
				sources, _ := r.from.Opened()
				return sources == i+1 && r.link.Status().Held == 5 || r.state() == link.Paused
			})
			r.from.Cut()
		}
		s := r.reaches(time.Minute, link.Paused)
		r.contains("the reason", s.Reason, "given back 10 times; the queue's delivery limit would drop it")
		if n := len(r.from.Bodies("dead")); n > 0 {
			r.Errorf("%d messages were dead-lettered by the delivery limit", n)
		}
		r.same("at the source", r.from.Bodies("quorum"), numbers(5))
	})
}
