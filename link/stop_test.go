package link_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// ended tells that a stopped link has left the source in good order: what has not arrived is there, in order, and none of
// it has ever been given back.
func (r *rig) ended(total int) {
	r.Helper()
	left := r.from.Messages("in")
	var bodies []string
	for _, m := range left {
		bodies = append(bodies, string(m.Body))
		if m.Origin.Returns > 0 {
			r.Errorf("%s was given back", m.Body)
		}
	}
	if n := r.unacked(); n != 0 {
		r.Errorf("%d unacked after the stop", n)
	}
	r.same("both ends together", append(r.out(), bodies...), numbers(total))
}

func TestStopInFullFlowDrains(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(80 * time.Millisecond)
		r.put(5000)
		r.start()
		r.until(10*time.Second, "messages are in flight", func() bool { return r.link.Status().InFlight > 50 })
		began := time.Now()
		r.stop()
		if took := time.Since(began); took > 200*time.Millisecond {
			r.Errorf("the stop took %v", took)
		}
		if n := len(r.out()); n == 0 || n == 5000 {
			r.Errorf("%d have arrived", n)
		}
		r.ended(5000)
		if s := r.link.Status(); s.State != link.Stopped || s.InFlight != 0 || s.Held != 0 {
			r.Errorf("status %+v", s)
		}
	})
}

// A window that was about to grow does not begin to consume again.
func TestStoppedSourceIsNotResized(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(200 * time.Millisecond)
		for range 10 {
			r.put(1000)
			r.start()
			r.until(10*time.Second, "messages are in flight", func() bool { return r.link.Status().InFlight > 50 })
			r.to.Latency(3 * time.Second)
			r.after(200 * time.Millisecond)
			r.stop()
			r.to.Latency(200 * time.Millisecond)
		}
		if r.source.late > 0 {
			r.Errorf("resized %d times after it was stopped", r.source.late)
		}
	})
}

// A sink that is lost while the link drains is replaced, and the drain goes on.
func TestSinkLostWhileDraining(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(80 * time.Millisecond)
		r.put(5000)
		r.start()
		r.until(10*time.Second, "messages are in flight", func() bool { return r.link.Status().InFlight > 50 })
		cut := time.AfterFunc(10*time.Millisecond, r.to.Cut)
		r.stop()
		if cut.Stop() {
			r.Fatal("it was not cut")
		}
		r.ended(5000)
	})
}

// What is confirmed when draining takes too long is acked; only the rest is given back.
func TestDrainTimeoutGivesBackOnlyWhatIsNotConfirmed(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.DrainTimeout = 3 * time.Second
		r.spec.Window = 20
		stuck := map[string]bool{number(13): true, number(14): true}
		r.spec.Destination = destination{Destination: r.spec.Destination, wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
			return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
				c, err := s.Send(ctx, m)
				if stuck[string(m.Body)] {
					return &broker.Answer{}, err // nobody is told
				}
				return c, err
			}}
		}}
		r.put(100)
		r.start()
		r.until(5*time.Second, "the window is full", func() bool { return r.link.Status().InFlight == 20 })
		began := time.Now()
		r.stop()
		if took := time.Since(began); took != 3*time.Second {
			r.Errorf("the stop took %v", took)
		}
		var back []string
		for _, m := range r.from.Messages("in") {
			if m.Origin.Returns > 0 {
				back = append(back, string(m.Body))
			}
		}
		r.same("given back", back, []string{number(13), number(14)})
		r.contains("the log", r.log.String(), "not drained within 3s")
		if s := r.link.Status(); s.InFlight != 0 || s.Held != 0 {
			r.Errorf("%d in flight, %d held after the stop", s.InFlight, s.Held)
		}
	})
}

// A destination that is away does not keep an idle link from stopping.
func TestIdleLinkStopsAtOnceThoughItsDestinationIsAway(t *testing.T) {
	play(t, func(r *rig) {
		r.start()
		r.reaches(5*time.Second, link.Idle)
		r.to.Down(errAway)
		r.to.Cut()
		r.reaches(5*time.Second, link.Holding)
		r.after(time.Minute)
		began := time.Now()
		r.stop()
		if took := time.Since(began); took > 100*time.Millisecond {
			r.Errorf("the stop took %v", took)
		}
	})
}

// With messages in hand it tries for as long as the drain may take: soon, whatever the back-off was, and not in a hot loop.
func TestStopWhileHoldingHasALastTry(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Reconnect = link.Delays{Min: 500 * time.Millisecond, Max: time.Hour}
		r.spec.HoldLimit = 48 * time.Hour
		r.put(10)
		r.to.Block("wait")
		r.start()
		r.reaches(5*time.Second, link.Blocked)
		r.to.Down(errAway)
		r.to.Cut()
		r.after(24 * time.Hour)
		up := time.AfterFunc(10*time.Second, func() { r.to.Unblock(); r.to.Up() })
		began := time.Now()
		r.stop()
		if up.Stop() {
			r.Fatal("it stopped before the destination was back")
		}
		if took := time.Since(began); took > 20*time.Second {
			r.Errorf("the stop took %v", took)
		}
		r.ended(10)
	})
}

// What came while the destination was away lies with the driver. A stop brings it over if it still can.
func TestStopWhileHoldingBringsOverWhatHasBeenDelivered(t *testing.T) {
	play(t, func(r *rig) {
		r.start()
		r.reaches(5*time.Second, link.Idle)
		r.to.Down(errAway)
		r.to.Cut()
		r.reaches(5*time.Second, link.Holding)
		r.put(10)
		r.after(time.Minute)
		time.AfterFunc(5*time.Second, r.to.Up)
		r.stop()
		r.exactly(10)
		r.ended(10)
	})
}

func TestStopWhileHoldingGivesBackInTheEnd(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.DrainTimeout = 5 * time.Second
		r.put(10)
		r.to.Block("wait")
		r.start()
		r.reaches(5*time.Second, link.Blocked)
		r.to.Down(errAway)
		r.to.Cut()
		r.reaches(5*time.Second, link.Holding)
		began, tries := time.Now(), r.link.Status().Attempt
		r.stop()
		if took := time.Since(began); took != 5*time.Second {
			r.Errorf("the stop took %v", took)
		}
		if n := r.log.lines("state=holding") - tries; n > 100 {
			r.Errorf("%d tries in 5 s", n)
		}
		r.same("back at the source", r.from.Bodies("in"), numbers(10))
	})
}

func TestStopBeforeItIsOpen(t *testing.T) {
	for name, arm := range map[string]func(r *rig){
		"silent destination": func(r *rig) { r.to.Silent() },
		"silent source":      func(r *rig) { r.from.Silent() },
		"back-off":           func(r *rig) { r.to.Down(errAway); r.spec.Reconnect = link.Delays{Min: time.Hour, Max: time.Hour} },
		"shut gate":          func(r *rig) { r.spec.Gate = newGate(false) },
		"paused":             func(r *rig) { r.spec.Paused = true },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(r *rig) {
				arm(r)
				r.start()
				r.after(10 * time.Second)
				began, warned := time.Now(), r.log.lines("level=WARN")
				r.stop()
				if took := time.Since(began); took > 0 {
					r.Errorf("the stop took %v", took)
				}
				if name != "silent destination" && name != "silent source" && r.log.lines("level=WARN") > warned {
					r.Error("a stop is no fault")
				}
				if r.state() != link.Stopped {
					r.Errorf("state %s", r.state())
				}
			})
		})
	}
}

// Whoever pauses a link sees that it is on its way there.
func TestStatusSaysThatALinkDrains(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(5 * time.Second)
		r.put(5)
		r.start()
		r.reaches(5*time.Second, link.Running)
		r.link.Pause("by hand")
		r.until(2*time.Second, "it says so", func() bool { return r.link.Status().Reason == "draining" })
		r.reaches(10*time.Second, link.Paused)
		r.exactly(5)
	})
}

// The order is kept through all of it.
func TestOrderThroughStopsAndFaults(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(10 * time.Millisecond)
		r.spec.Window = 50
		r.put(3000)
		r.start()
		for i := range 12 {
			r.arrived(time.Minute, 200*(i+1))
			switch i % 3 {
			case 0:
				r.to.Cut()
			case 1:
				r.link.Pause("x")
				r.reaches(5*time.Second, link.Paused)
				r.link.Resume()
			case 2:
				r.stop()
				r.start()
			}
		}
		r.arrived(time.Minute, 3000)
		got := r.out()
		if !slices.IsSorted(got) {
			r.Error("out of order")
		}
		r.exactly(3000)
	})
}

// What a lost source has delivered is others' by now: a stop must not send it, however long there is to drain.
func TestStopSendsNothingFromALostSource(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Block("low on memory")
		r.put(50)
		r.start()
		r.reaches(time.Minute, link.Blocked)
		r.from.Cut()
		r.link.Pause("by hand")
		r.reaches(time.Second, link.Paused)
		if n := len(r.from.Take("in", 50)); n != 50 {
			t.Fatalf("%d of 50 are there for others", n)
		}
		r.to.Unblock()
		r.after(time.Minute)
		r.same("what arrived", r.out(), nil)
	})
}
