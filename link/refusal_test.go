package link_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

func TestLastResortPause(t *testing.T) {
	each(t, func(r *rig, answer error, set func(link.Recourse)) {
		set(link.Recourse{Attempts: 3})
		lift := r.refuses(answer, 5)
		r.put(20)
		r.start()
		s := r.reaches(time.Minute, link.Paused)
		r.contains("the reason", s.Reason, answer.Error())
		r.contains("the reason", s.Reason, "3 times")
		r.during(time.Hour, "it stays paused", func() bool { return r.state() == link.Paused })
		if n := r.unacked(); n != 0 {
			r.Errorf("%d messages are held by a paused link", n)
		}
		lift()
		r.link.Resume()
		r.until(10*time.Second, "all have arrived", func() bool { return len(r.out()) == 20 })
		r.empty()
	})
}

func TestLastResortDrop(t *testing.T) {
	each(t, func(r *rig, answer error, set func(link.Recourse)) {
		set(link.Recourse{Attempts: 3, Then: link.Drop})
		r.refuses(answer, 5, 7)
		r.put(20)
		r.start()
		r.until(time.Minute, "both are dropped", func() bool { return r.link.Status().Counts.Dropped == 2 })
		r.after(time.Second)
		if n := len(r.out()); n != 18 {
			r.Errorf("%d have arrived, want the other 18", n)
		}
		r.empty()
		if r.log.lines("message dropped") != 2 {
			r.Error("want a line in the log for each")
		}
	})
}

func TestLastResortReject(t *testing.T) {
	each(t, func(r *rig, answer error, set func(link.Recourse)) {
		r.from.Declare("dead", memory.Queue{})
		r.from.Declare("work", memory.Queue{DeadLetter: "dead"})
		r.spec.Source.At = broker.Address{Queue: "work"}
		set(link.Recourse{Attempts: 2, Then: link.Reject})
		r.refuses(answer, 5)
		for _, n := range numbers(20) {
			r.from.Put("work", n)
		}
		r.start()
		r.until(time.Minute, "it is rejected", func() bool { return r.link.Status().Counts.Rejected == 1 })
		r.after(time.Second)
		if n := len(r.out()); n != 19 {
			r.Errorf("%d have arrived, want the other 19", n)
		}
		r.same("what the queue dead-lettered", r.from.Bodies("dead"), []string{number(5)})
	})
}

func TestLastResortDeadLetter(t *testing.T) {
	each(t, func(r *rig, answer error, set func(link.Recourse)) {
		elsewhere := memory.New("ap")
		elsewhere.Declare("unwanted", memory.Queue{})
		set(link.Recourse{Attempts: 2, Then: link.DeadLetter,
			DeadLetter: link.To{Name: "ap", Broker: elsewhere, At: broker.Address{Queue: "unwanted"}}})
		r.refuses(answer, 5)
		r.put(20)
		r.start()
		r.until(time.Minute, "it is dead-lettered", func() bool { return r.link.Status().Counts.DeadLettered == 1 })
		r.after(time.Second)
		if n := len(r.out()); n != 19 {
			r.Errorf("%d have arrived, want the other 19", n)
		}
		r.same("what went elsewhere", elsewhere.Bodies("unwanted"), []string{number(5)})
		r.empty()
	})
}

// A dead-letter destination that fails loses nothing: the link pauses.
func TestDeadLetterDestinationThatFailsPauses(t *testing.T) {
	for name, fail := range map[string]func(elsewhere *memory.Broker){
		"away":     func(b *memory.Broker) { b.Down(errAway) },
		"refuses":  func(b *memory.Broker) { b.MaxSize(1) },
		"silent":   func(b *memory.Broker) { b.Silent() },
		"blocked":  func(b *memory.Broker) { b.Block("low on memory") },
		"confirms": func(b *memory.Broker) { b.HoldConfirms() },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(r *rig) {
				elsewhere := memory.New("ap")
				elsewhere.Declare("unwanted", memory.Queue{})
				fail(elsewhere)
				r.spec.OnRefused = link.Recourse{Attempts: 1, Then: link.DeadLetter,
					DeadLetter: link.To{Name: "ap", Broker: elsewhere, At: broker.Address{Queue: "unwanted"}}}
				r.refuses(refusals["refused"], 5)
				r.put(20)
				r.start()
				s := r.reaches(2*time.Minute, link.Paused)
				r.contains("the reason", s.Reason, "its dead-letter destination")
				all := append(r.out(), r.from.Bodies("in")...)
				slices.Sort(all)
				r.same("both ends together", slices.Compact(all), numbers(20))
			})
		})
	}
}

// A link that is to stop while it dead-letters does not pause itself over that.
func TestDrainTimeoutWhileDeadLetteringIsNoPause(t *testing.T) {
	play(t, func(r *rig) {
		elsewhere := memory.New("ap")
		elsewhere.Declare("unwanted", memory.Queue{})
		elsewhere.HoldConfirms()
		g := newGate(true)
		r.spec.Gate, r.spec.DrainTimeout = g, time.Second
		r.spec.OnRefused = link.Recourse{Attempts: 1, Then: link.DeadLetter,
			DeadLetter: link.To{Name: "ap", Broker: elsewhere, At: broker.Address{Queue: "unwanted"}}}
		r.refuses(refusals["refused"], 0)
		r.put(1)
		r.start()
		r.until(5*time.Second, "it was sent there", func() bool { return len(elsewhere.Bodies("unwanted")) == 1 })
		g.set(false)
		r.reaches(2*time.Second, link.Shut)
		r.same("back at the source", r.from.Bodies("in"), numbers(1))
	})
}

func TestTooLargeIsNotRetried(t *testing.T) {
	play(t, func(r *rig) {
		var tries atomic.Int64
		r.to.Refuse(func(m *broker.Message) error {
			if string(m.Body) != number(3) {
				return nil
			}
			tries.Add(1)
			return broker.ErrTooLarge
		})
		r.spec.OnRefused = link.Recourse{Then: link.Drop}
		r.put(10)
		r.start()
		r.arrived(5*time.Second, 9)
		r.after(time.Minute)
		if tries.Load() != 1 {
			r.Errorf("sent %d times", tries.Load())
		}
		r.empty()
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

// An unroutable message that then has nowhere to go at all is stranded, and not taken for unroutable.
func TestRefusedMessageMayBecomeStranded(t *testing.T) {
	play(t, func(r *rig) {
		d := &nowhere{Destination: r.spec.Destination}
		r.spec.Destination = d
		r.spec.OnUnroutable = link.Recourse{Attempts: 3, Then: link.Drop}
		lift := r.refuses(refusals["unroutable"], 5)
		r.put(20)
		r.start()
		r.reaches(5*time.Second, link.Retrying)
		d.rule(number(5))
		lift()
		r.until(10*time.Second, "the others have arrived", func() bool { return len(r.out()) == 19 })
		r.during(time.Minute, "it is held", func() bool { return r.unacked() <= 1 && len(r.out()) == 19 })
		s := r.reaches(5*time.Second, link.Holding)
		if s.Held != 1 || s.Counts.Dropped > 0 {
			r.Errorf("held %d, %+v", s.Held, s.Counts)
		}
		d.rule()
		r.arrived(10*time.Second, 20)
		r.empty()
	})
}

// The ack of a message that was retried does not settle an older one that has nowhere to go.
func TestRetriedMessageOvertakesAStrandedOne(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(10 * time.Millisecond)
		r.strands(3)
		lift := r.refuses(refusals["refused"], 5)
		r.put(10)
		r.start()
		r.reaches(5*time.Second, link.Retrying)
		lift()
		r.arrived(5*time.Second, 9)
		r.after(time.Second)
		if n := r.unacked(); n != 1 {
			r.Errorf("%d unacked, want the stranded one", n)
		}
		r.stop()
		r.same("back at the source", r.from.Bodies("in"), []string{number(3)})
	})
}

// Without acks there is nothing left to settle at the source: a second ack would end the session.
func TestLastResortWithoutAcks(t *testing.T) {
	for _, then := range []link.Action{link.Drop, link.Reject} {
		t.Run(string(then), func(t *testing.T) {
			play(t, func(r *rig) {
				r.spec.AckMode = link.NoAck
				r.spec.OnRefused = link.Recourse{Attempts: 2, Then: then}
				r.spec.Destination = destination{Destination: r.spec.Destination, wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
					return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
						if string(m.Body) == number(5) { // the driver itself cannot send it
							a := &broker.Answer{}
							a.Settle(broker.ErrRefused)
							return a, nil
						}
						return s.Send(ctx, m)
					}}
				}}
				r.put(20)
				r.start()
				r.arrived(10*time.Second, 19)
				r.after(time.Second)
				r.empty()
				if sources, _ := r.from.Opened(); sources != 1 {
					r.Errorf("the source was opened %d times", sources)
				}
			})
		})
	}
}

func TestReasonOfASelfPauseNamesTheMessage(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.OnUnroutable = link.Recourse{Attempts: 1}
		m := &broker.Message{RoutingKey: "in", Properties: broker.Properties{MessageID: "order-17"}, Body: []byte("x")}
		if err := r.from.Publish(m); err != nil {
			r.Fatal(err)
		}
		r.to.Refuse(func(*broker.Message) error { return refusals["unroutable"] })
		r.start()
		s := r.reaches(5*time.Second, link.Paused)
		if !strings.Contains(s.Reason, `message "order-17"`) || !strings.Contains(s.Reason, `routing key "in"`) {
			r.Errorf("reason %q", s.Reason)
		}
	})
}
