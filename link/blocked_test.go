package link_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// A broker that asks to wait stops the flow and nothing else: nothing is given up, given back or opened anew.
func TestBlockedStopsTheFlowAndNothingElse(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.ConfirmTimeout = 10 * time.Second
		r.spec.Window = 20
		r.to.Latency(10 * time.Millisecond)
		r.put(1000)
		r.start()
		r.arrived(5*time.Second, 200)
		r.to.Block("low on memory")
		r.to.HoldConfirms() // what is on its way is stored, and not confirmed before it ends
		began := time.Now()
		s := r.reaches(2*time.Second, link.Blocked)
		r.contains("the reason", s.Reason, "low on memory")
		if late := s.Since.Sub(began); late < 0 || late > 2*time.Second {
			r.Errorf("blocked since %v after it was", late)
		}
		stood := len(r.out())
		r.during(time.Hour, "it is blocked and nothing moves", func() bool {
			return r.state() == link.Blocked && len(r.out()) <= stood+20
		})
		if again := r.link.Status().Since; !again.Equal(s.Since) {
			r.Errorf("blocked since %v, then since %v", s.Since, again)
		}
		r.to.ReleaseConfirms()
		r.to.Unblock()
		r.arrived(5*time.Second, 1000)
		r.exactly(1000)
		r.after(time.Second)
		r.empty()
		sources, _ := r.from.Opened()
		_, sinks := r.to.Opened()
		if sources != 1 || sinks != 1 {
			r.Errorf("%d sources and %d sinks were opened, want one each", sources, sinks)
		}
		if n := r.log.lines("state=blocked"); n != 1 {
			r.Errorf("%d lines in the log say that it is blocked", n)
		}
	})
}

// The time during which the broker asked to wait does not count against a confirm, but the time after it does.
func TestConfirmIsOverdueOnlyAfterTheBlock(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.ConfirmTimeout = 10 * time.Second
		r.to.HoldConfirms()
		r.put(1)
		r.start()
		r.after(5 * time.Second)
		r.to.Block("low on disk")
		opened := func() int { _, sinks := r.to.Opened(); return sinks }
		r.during(10*time.Minute, "the session stays", func() bool { return opened() == 1 })
		r.to.Unblock()
		r.during(9*time.Second, "it has its time", func() bool { return opened() == 1 })
		r.until(5*time.Second, "it is given up", func() bool { return opened() == 2 })
	})
}

func TestStopWhileBlockedGivesBackAfterTheDrainTimeout(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.DrainTimeout = 7 * time.Second
		r.start()
		r.reaches(5*time.Second, link.Idle)
		r.to.Block("low on memory")
		r.put(5)
		r.reaches(5*time.Second, link.Blocked)
		began := time.Now()
		r.stop()
		if took := time.Since(began); took != 7*time.Second {
			r.Errorf("the stop took %v", took)
		}
		r.same("back at the source", r.from.Bodies("in"), numbers(5))
	})
}

func TestSinkLostWhileBlockedIsReplaced(t *testing.T) {
	play(t, func(r *rig) {
		r.start()
		r.reaches(5*time.Second, link.Idle)
		r.to.Block("low on memory")
		r.put(5)
		r.reaches(5*time.Second, link.Blocked)
		r.to.Cut()
		r.to.Unblock()
		r.arrived(5*time.Second, 5)
		r.exactly(5)
	})
}

// A sink that says it is blocked, and cannot tell when it is no longer, or contradicts itself, is asked again now and then.
func TestBlockedSinkThatDoesNotTellWhenItIsFree(t *testing.T) {
	for name, tells := range map[string]func(broker.Sink) broker.Sink{
		"it cannot tell":        func(s broker.Sink) broker.Sink { return struct{ broker.Sink }{s} },
		"it contradicts itself": func(s broker.Sink) broker.Sink { return s },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(r *rig) {
				var asked atomic.Int64
				began := time.Now()
				r.spec.Destination = destination{Destination: r.spec.Destination, wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
					return tells(sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
						asked.Add(1)
						if time.Since(began) < time.Minute {
							return nil, fmt.Errorf("%w: too many requests", broker.ErrBlocked)
						}
						return s.Send(ctx, m)
					}})
				}}
				r.put(5)
				r.start()
				s := r.reaches(2*time.Second, link.Blocked)
				r.contains("the reason", s.Reason, "too many requests")
				r.during(55*time.Second, "it is blocked", func() bool { return r.state() == link.Blocked })
				if n := asked.Load(); n > 1000 {
					r.Errorf("it was asked %d times", n)
				}
				r.arrived(10*time.Second, 5)
				r.exactly(5)
			})
		})
	}
}
