package link_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// refuses makes the destination answer so for the messages of these numbers, until lift.
func (r *rig) refuses(answer error, which ...int) (lift func()) {
	bad := map[string]bool{}
	for _, i := range which {
		bad[number(i)] = true
	}
	r.to.Refuse(func(m *broker.Message) error {
		if bad[string(m.Body)] {
			return answer
		}
		return nil
	})
	return func() { r.to.Refuse(nil) }
}

var refusals = map[string]error{
	"refused":    fmt.Errorf("%w: basic.nack", broker.ErrRefused),
	"unroutable": fmt.Errorf("%w: no queue is bound", broker.ErrUnroutable),
}

// each runs a test for a refused and for an unroutable message; set gives the recourse to the right one of the two.
func each(t *testing.T, test func(r *rig, answer error, set func(link.Recourse))) {
	for name, answer := range refusals {
		t.Run(name, func(t *testing.T) {
			play(t, func(r *rig) {
				set := func(c link.Recourse) { r.spec.OnRefused = c }
				if errors.Is(answer, broker.ErrUnroutable) {
					set = func(c link.Recourse) { r.spec.OnUnroutable = c }
				}
				test(r, answer, set)
			})
		})
	}
}

func TestNewerMessagesWaitWhileOneIsRefused(t *testing.T) {
	each(t, func(r *rig, answer error, _ func(link.Recourse)) {
		r.spec.Window = 10
		r.to.Latency(10 * time.Millisecond)
		lift := r.refuses(answer, 20)
		r.put(100)
		r.start()
		s := r.reaches(5*time.Second, link.Retrying)
		r.contains("the reason", s.Reason, "newer messages wait, attempt 1 of 10 failed")
		r.contains("the last error", s.LastError, answer.Error())
		// What was in flight with it has been confirmed and acked; nothing else goes.
		r.during(2*time.Second, "the rest waits", func() bool { return len(r.out()) >= 20 && len(r.out()) < 30 })
		if sent := len(r.out()); r.unacked()+len(r.from.Bodies("in")) != 100-sent {
			r.Errorf("%d unacked, %d ready, with %d confirmed", r.unacked(), len(r.from.Bodies("in")), sent)
		}
		lift()
		r.arrived(10*time.Second, 100)
		got := r.out()
		r.same("all but the one", slices.DeleteFunc(slices.Clone(got), func(b string) bool { return b == number(20) }),
			append(numbers(20), numbers(100)[21:]...))
		if at := slices.Index(got, number(20)); at > 30 {
			r.Errorf("the refused one came as number %d, want it before what had to wait", at)
		}
		r.after(time.Second)
		r.empty()
		if sources, sinks := r.from.Opened(); sources != 1 || sinks != 0 {
			r.Errorf("the source was opened %d times", sources)
		}
	})
}

func TestRefusedMessageIsRetriedWithBackOff(t *testing.T) {
	each(t, func(r *rig, answer error, set func(link.Recourse)) {
		r.spec.Reconnect = link.Delays{Min: time.Second, Max: 30 * time.Second}
		set(link.Recourse{Attempts: 6, Then: link.Drop})
		var noted times
		r.to.Refuse(func(m *broker.Message) error {
			if string(m.Body) == number(0) {
				noted.note()
				return answer
			}
			return nil
		})
		r.put(1)
		r.start()
		r.until(3*time.Minute, "it is dropped", func() bool { return r.link.Status().Counts.Dropped == 1 })
		tries := noted.all()
		if len(tries) != 6 {
			r.Errorf("%d tries, want 6", len(tries))
		}
		// Full jitter over 1, 2, 4, 8 and 16 s: at least more than a hot loop, at most their sum.
		if took := tries[5].Sub(tries[0]); took < time.Second || took > 31*time.Second {
			r.Errorf("they took %v", took)
		}
		c := r.link.Status().Counts
		if c.Refused+c.Unroutable != 6 || c.Retries != 5 {
			r.Errorf("counts %+v", c)
		}
	})
}

// A full queue refuses a whole window at once. When it has room again, they go in order, and without a back-off for each.
func TestManyRefusedAtOnceGoOnInOrder(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Declare("small", memory.Queue{MaxLength: 100})
		r.spec.Destination = link.To{Name: "us", Broker: r.to, At: broker.Address{Queue: "small"}}
		r.spec.OnRefused = link.Recourse{Attempts: 1000}
		r.put(500)
		r.start()
		r.reaches(5*time.Second, link.Retrying)
		r.after(30 * time.Second)
		var got []string
		r.until(time.Minute, "all have been taken", func() bool {
			for _, m := range r.to.Drain("small") {
				got = append(got, string(m.Body))
			}
			return len(got) == 500
		})
		r.same("what arrived", got, numbers(500))
		r.after(time.Second)
		r.empty()
	})
}

// A refused message whose sink is lost meanwhile is still the one that is retried alone, and keeps its count.
func TestLostSinkWhileRetryingKeepsCount(t *testing.T) {
	each(t, func(r *rig, answer error, set func(link.Recourse)) {
		set(link.Recourse{Attempts: 5, Then: link.Drop})
		var tries atomic.Int64
		r.to.Refuse(func(m *broker.Message) error {
			if string(m.Body) != number(5) {
				return nil
			}
			tries.Add(1)
			return answer
		})
		r.put(20)
		r.start()
		for i := range int64(4) {
			r.until(time.Minute, "one more try", func() bool { return tries.Load() >= i+1 })
			r.to.Cut()
		}
		r.until(time.Minute, "it is dropped", func() bool { return r.link.Status().Counts.Dropped == 1 })
		if tries.Load() != 5 {
			r.Errorf("%d tries, want 5", tries.Load())
		}
		r.after(time.Second)
		r.empty()
	})
}

// While a message is retried, the broker may block: that shows, and no confirm is overdue meanwhile.
func TestBlockedWhileRetrying(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.ConfirmTimeout = 5 * time.Second
		lift := r.refuses(refusals["refused"], 5)
		r.put(20)
		r.start()
		r.reaches(5*time.Second, link.Retrying)
		r.to.Block("memory alarm")
		r.reaches(10*time.Second, link.Blocked)
		r.during(5*time.Minute, "it stays blocked", func() bool { return r.state() == link.Blocked })
		lift()
		r.to.Unblock()
		r.arrived(10*time.Second, 20)
		r.reaches(5*time.Second, link.Idle)
		if _, sinks := r.to.Opened(); sinks != 1 {
			r.Errorf("%d sessions", sinks)
		}
	})
}

// However slow a try is, the link is retrying and not running.
func TestStateWhileARetryIsOnItsWay(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(5 * time.Second)
		r.refuses(refusals["refused"], 0)
		r.put(20)
		r.start()
		s := r.reaches(10*time.Second, link.Retrying)
		r.during(20*time.Second, "it is retrying", func() bool { return r.state() == link.Retrying })
		if again := r.link.Status(); !again.Since.Equal(s.Since) || again.Attempt < 3 {
			r.Errorf("first %+v, then %+v", s, again)
		}
	})
}

// The back-off is that of one message: the next one begins anew.
func TestBackOffOfARefusalBeginsAnewWithTheNextMessage(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Reconnect = link.Delays{Min: 100 * time.Millisecond, Max: time.Hour}
		r.spec.OnRefused = link.Recourse{Attempts: 12, Then: link.Drop}
		r.spec.Window = 1
		var noted times
		r.to.Refuse(func(m *broker.Message) error {
			if string(m.Body) == number(1) {
				noted.note()
			}
			return broker.ErrRefused
		})
		r.put(2)
		r.start()
		r.until(24*time.Hour, "the second was tried twice", func() bool { return len(noted.all()) >= 2 })
		tries := noted.all()
		if took := tries[1].Sub(tries[0]); took > 110*time.Millisecond {
			r.Errorf("its first delay was %v", took)
		}
	})
}

// Stopped while it retries, a link does not wait: the message goes back to its queue, with those behind it, in order.
func TestStopWhileRetryingGivesBackInOrder(t *testing.T) {
	each(t, func(r *rig, answer error, _ func(link.Recourse)) {
		r.spec.Window = 8
		r.spec.Reconnect = link.Delays{Min: time.Minute, Max: time.Minute}
		r.to.Latency(10 * time.Millisecond)
		r.refuses(answer, 5)
		r.put(20)
		r.start()
		r.reaches(5*time.Second, link.Retrying)
		began := time.Now()
		r.stop()
		if took := time.Since(began); took > time.Second {
			r.Errorf("the stop took %v", took)
		}
		back := r.from.Bodies("in")
		if !slices.IsSorted(back) || back[0] != number(5) {
			r.Errorf("back at the source: %s", brief(back))
		}
		all := append(r.out(), back...)
		slices.Sort(all)
		r.same("both ends together", all, numbers(20))
	})
}
