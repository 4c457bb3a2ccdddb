package link_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// Fifty failures in a row, half of them while opening and half while sending, on a queue that drops what comes back more
// than 20 times.
func TestFiftySinkFailuresGiveNothingBack(t *testing.T) {
	play(t, func(r *rig) {
		r.from.Declare("dead", memory.Queue{})
		r.from.Declare("quorum", memory.Queue{DeliveryLimit: 20, DeadLetter: "dead"})
		r.spec.Source.At = broker.Address{Queue: "quorum"}
		for i := range 500 {
			r.from.Put("quorum", number(i))
		}
		failures := 0
		r.spec.Destination = destination{
			Destination: r.spec.Destination,
			open: func(context.Context, broker.SinkOptions) error {
				if sources, _ := r.from.Opened(); sources > 0 && failures < 50 && failures%2 == 1 {
					failures++
					return errAway
				}
				return nil
			},
			wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
				return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
					if failures < 50 && failures%2 == 0 {
						failures++
						r.to.Cut()
					}
					return s.Send(ctx, m)
				}}
			},
		}
		r.start()
		r.arrived(5*time.Minute, 500)
		r.after(time.Second)
		if failures != 50 {
			r.Errorf("%d failures", failures)
		}
		r.exactly(500)
		if again := r.source.returned(); len(again) > 0 {
			r.Errorf("given back: %s", brief(again))
		}
		if n := len(r.from.Bodies("dead")); n > 0 {
			r.Errorf("%d messages were dead-lettered", n)
		}
		if sources, _ := r.from.Opened(); sources != 1 {
			r.Errorf("the source was opened %d times", sources)
		}
	})
}

// What was confirmed is not sent again; what was not, is, in order.
func TestLostSinkIsReplacedAndTheUnconfirmedIsSentAgainInOrder(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 100
		r.to.Latency(10 * time.Millisecond)
		r.put(1000)
		r.start()
		for i := range 8 {
			r.arrived(time.Minute, 100*(i+1))
			r.to.Cut()
		}
		r.arrived(time.Minute, 1000)
		r.after(time.Second)
		// The broker drops what is on the way when it is cut, so whatever comes twice was confirmed and sent again.
		r.exactly(1000)
		r.empty()
		if again := r.source.returned(); len(again) > 0 {
			r.Errorf("%d messages were given back", len(again))
		}
		if n := r.link.Status().Counts.Reconnects; n != 8 {
			r.Errorf("%d reconnects, want 8", n)
		}
	})
}

func TestDuplicatesAfterALostSinkAreBoundedByTheWindow(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 50
		r.put(400)
		r.to.HoldConfirms() // stored, but nobody is told
		r.start()
		r.arrived(5*time.Second, 50)
		r.to.Cut()
		r.after(time.Second)
		r.to.ReleaseConfirms()
		r.after(10 * time.Second)
		r.complete(400, 50)
		r.empty()
	})
}

func TestSinkLostWhileIdleIsReplaced(t *testing.T) {
	play(t, func(r *rig) {
		r.start()
		r.reaches(5*time.Second, link.Idle)
		r.to.Cut()
		r.reaches(5*time.Second, link.Idle)
		r.put(10)
		r.arrived(time.Second, 10)
		r.exactly(10)
	})
}

// A link that is idle for long, and whose destination restarts now and then, suspects no message.
func TestSinksLostWhileIdleRaiseNoSuspicion(t *testing.T) {
	play(t, func(r *rig) {
		alone := 0
		r.spec.Destination = destination{
			Destination: r.spec.Destination,
			wrap: func(s broker.Sink, o broker.SinkOptions) broker.Sink {
				if o.Alone {
					alone++
				}
				return s
			},
		}
		r.start()
		r.reaches(5*time.Second, link.Idle)
		for range 10 {
			r.to.Cut()
			r.after(time.Hour)
		}
		if alone > 0 {
			r.Errorf("%d times on a connection of its own", alone)
		}
		if sources, _ := r.from.Opened(); sources != 1 {
			r.Errorf("the source was opened %d times", sources)
		}
	})
}

func TestOverdueConfirmGivesUpTheSessionAndSendsAgain(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.ConfirmTimeout = 5 * time.Second
		r.to.HoldConfirms()
		r.put(10)
		r.start()
		r.during(4*time.Second, "it waits", func() bool { _, sinks := r.to.Opened(); return sinks <= 1 })
		r.until(5*time.Second, "another session", func() bool { _, sinks := r.to.Opened(); return sinks == 2 })
		r.contains("the last error", r.link.Status().LastError, "no confirm within 5s")
		r.to.ReleaseConfirms()
		r.after(10 * time.Second)
		r.complete(10, 20)
		r.empty()
	})
}

// A sink may say that it is lost without ever answering what is in flight; closing it must free what waits.
func TestFailedSendFreesWhatIsInFlight(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.ConfirmTimeout = time.Hour
		r.to.Latency(time.Hour)
		var sent atomic.Int64
		r.spec.Destination = destination{
			Destination: r.spec.Destination,
			wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
				return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
					if sent.Add(1) == 5 {
						return nil, errAway
					}
					return s.Send(ctx, m)
				}}
			},
		}
		r.put(10)
		r.start()
		r.until(time.Second, "five are sent", func() bool { return sent.Load() == 5 })
		r.to.Latency(0)
		r.arrived(5*time.Second, 10)
		r.exactly(10)
	})
}
