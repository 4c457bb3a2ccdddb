package link_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

func TestLastResortPause(t *testing.T) {
	each(t, func(r *rig, answer error, set func(link.Recourse)) {
		set(link.Recourse{Attempts: 3})
		lift := r.refuses(answer, 5)
		r.put(20)
		r.start()
		s := r.reaches(time.Minute, link.Paused)
		r.contains("the reason", s.Reason, answer.Error())
		r.contains("the reason", s.Reason, "attempts: 3")
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
