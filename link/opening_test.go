package link_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

var errAway = errors.New("connection refused")

func TestOpeningIsTriedWithBackOffAndNeverGivenUp(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Reconnect = link.Delays{Min: 500 * time.Millisecond, Max: 30 * time.Second}
		var noted times
		r.spec.Destination = destination{
			Destination: r.spec.Destination,
			open:        func(context.Context, broker.SinkOptions) error { noted.note(); return errAway },
		}
		r.put(1)
		r.start()
		r.after(24 * time.Hour)
		tries := noted.all()
		if n := len(tries); n < 24*60*2 || n > 24*60*8 {
			r.Errorf("%d tries in a day, want one every 15 s or so", n)
		}
		if first := tries[3].Sub(tries[0]); first > 3500*time.Millisecond {
			r.Errorf("the first three tries took %v", first)
		}
		s := r.link.Status()
		if s.State != link.Retrying || s.Attempt < len(tries)-1 || !strings.Contains(s.Reason, "connection refused") {
			r.Errorf("status %+v", s)
		}
		if age := time.Since(s.Since); age < 23*time.Hour {
			r.Errorf("retrying since %v ago, want a day", age)
		}
		if left := time.Until(s.NextTry); left < 0 || left > 30*time.Second {
			r.Errorf("next try in %v", left)
		}
		if sources, _ := r.from.Opened(); sources > 0 {
			r.Error("it consumes though it cannot send")
		}
		if n := len(tries); r.log.lines("state=retrying") != n {
			r.Errorf("%d lines in the log for %d tries", r.log.lines("state=retrying"), n)
		}
	})
}

// A session that begins and falls at once keeps the back-off; one that lasted starts it anew.
func TestBackOffIsResetOnlyAfterASessionThatLasted(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Reconnect = link.Delays{Min: 100 * time.Millisecond, Max: 10 * time.Second}
		r.start()
		opened := func() int { sources, _ := r.from.Opened(); return sources }
		var began time.Time
		for i := range 30 {
			if i == 20 {
				began = time.Now()
			}
			r.until(time.Minute, "it is open", func() bool { return opened() == i+1 })
			r.from.Cut()
		}
		if mean := time.Since(began) / 10; mean < time.Second {
			r.Errorf("after many short sessions, one every %v", mean)
		}
		r.until(time.Minute, "it is open", func() bool { return opened() == 31 })
		r.after(11 * time.Second)
		r.from.Cut()
		r.until(250*time.Millisecond, "it is open again soon", func() bool { return opened() == 32 })
	})
}

func TestDeniedIsAState(t *testing.T) {
	for _, end := range []string{"source", "destination"} {
		t.Run(end, func(t *testing.T) {
			play(t, func(r *rig) {
				r.from.Declare("forbidden", memory.Queue{})
				r.to.Declare("forbidden", memory.Queue{})
				r.from.Deny("forbidden")
				r.to.Deny("forbidden")
				at := broker.Address{Queue: "forbidden"}
				if end == "source" {
					r.spec.Source.At = at
				} else {
					r.spec.Destination = link.To{Name: "us", Broker: r.to, At: at}
				}
				r.start()
				s := r.reaches(time.Second, link.Denied)
				r.contains("the reason", s.Reason, "access denied")
				if left := time.Until(s.NextTry); left < time.Second || left > 2*time.Second {
					r.Errorf("next try in %v, want the longest delay", left)
				}
			})
		})
	}
}

// A permission that is taken away from a running link shows, too, and what it holds stays held.
func TestDeniedWhileRunning(t *testing.T) {
	play(t, func(r *rig) {
		r.start()
		r.reaches(5*time.Second, link.Idle)
		r.to.Deny("out")
		r.to.Cut()
		s := r.reaches(time.Second, link.Denied)
		r.contains("the reason", s.Reason, "access denied")
	})
}
