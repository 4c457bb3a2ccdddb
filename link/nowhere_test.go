package link_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// nowhere is a destination that rules out some messages.
type nowhere struct {
	link.Destination
	mu       sync.Mutex
	ruledOut []string
	asked    int
}

func (n *nowhere) rule(out ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ruledOut = out
}

func (n *nowhere) rules(body string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.Contains(n.ruledOut, body) {
		n.asked++
		return true
	}
	return false
}

func (n *nowhere) tries() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func (n *nowhere) OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error) {
	s, err := n.Destination.OpenSink(ctx, o)
	if err != nil {
		return nil, err
	}
	return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
		if n.rules(string(m.Body)) {
			return nil, fmt.Errorf("%w: it has been in us", broker.ErrNowhere)
		}
		return s.Send(ctx, m)
	}}, nil
}

// strands makes the rig's destination rule out the messages of these numbers.
func (r *rig) strands(which ...int) *nowhere {
	n := &nowhere{Destination: r.spec.Destination}
	for _, i := range which {
		n.ruledOut = append(n.ruledOut, number(i))
	}
	r.spec.Destination = n
	return n
}

func TestStrandedMessageIsHeldWhileOthersPass(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(5 * time.Millisecond)
		d := r.strands(3, 50)
		r.put(500)
		r.start()
		r.arrived(10*time.Second, 498)
		want := slices.DeleteFunc(numbers(500), func(b string) bool { return b == number(3) || b == number(50) })
		r.same("what arrived", r.out(), want)
		s := r.reaches(5*time.Second, link.Holding)
		r.contains("the reason", s.Reason, "2 messages have nowhere to go: no destination for this message: it has been in us")
		if s.Held != 2 || r.unacked() != 2 {
			r.Errorf("%d held, %d unacked, want 2", s.Held, r.unacked())
		}
		r.after(time.Minute)
		if tries := d.tries(); tries < 20 || tries > 28 {
			r.Errorf("%d tries of 2 messages in a minute, want one every 5 s", tries)
		}
		// Newer ones still pass.
		r.put(100)
		r.arrived(10*time.Second, 598)
		r.until(10*time.Second, "only the two are held", func() bool { return r.unacked() == 2 })
		d.rule()
		r.arrived(10*time.Second, 600)
		r.reaches(5*time.Second, link.Idle)
		r.empty()
		if again := r.source.returned(); len(again) > 0 {
			r.Errorf("given back: %v", again)
		}
	})
}

func TestStrandedMessagesAreGivenBackWhenTheGateShuts(t *testing.T) {
	play(t, func(r *rig) {
		gate := newGate(true)
		r.spec.Gate = gate
		r.strands(3, 4)
		r.put(10)
		r.start()
		r.reaches(5*time.Second, link.Holding)
		gate.set(false)
		r.reaches(time.Second, link.Shut)
		r.same("back at the source", r.from.Bodies("in"), []string{number(3), number(4)})
	})
}

// A queue is not left unconsumed because its first messages have nowhere to go.
func TestStrandedMessagesDoNotFillTheWindow(t *testing.T) {
	play(t, func(r *rig) {
		all := make([]int, 1000)
		for i := range all {
			all[i] = i
		}
		r.strands(all...)
		r.put(1500)
		r.start()
		r.arrived(time.Minute, 500)
		r.same("what arrived", r.out(), numbers(1500)[1000:])
	})
}

// But a declared window is what the operator says it is.
func TestDeclaredWindowBoundsStrandedMessagesToo(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 5
		r.strands(0, 1, 2, 3, 4, 5, 6)
		r.put(20)
		r.start()
		r.reaches(5*time.Second, link.Holding)
		r.during(time.Minute, "no more are taken", func() bool { return r.unacked() == 5 && len(r.out()) == 0 })
	})
}

// Nothing bounds no-ack but the link itself.
func TestStrandedMessagesAreBoundedWithoutAcks(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.AckMode = link.NoAck
		r.spec.Window = 5
		d := r.strands(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
		r.put(20)
		r.start()
		s := r.reaches(5*time.Second, link.Holding)
		if s.Held != 5 {
			r.Errorf("%d held, want 5", s.Held)
		}
		r.during(time.Minute, "no more are taken", func() bool { return len(r.from.Bodies("in"))+r.unacked() == 15 })
		d.rule()
		r.arrived(20*time.Second, 20)
		r.exactly(20)
	})
}

// Held beyond the hold limit, a stranded message is given back, so that others may have it, and the broker's consumer
// timeout does not end the session.
func TestStrandedMessageIsGivenBackAfterTheHoldLimit(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.HoldLimit = time.Minute
		r.strands(3)
		r.put(10)
		r.start()
		r.arrived(5*time.Second, 9)
		r.during(59*time.Second, "it is held", func() bool { return r.unacked() == 1 && len(r.source.returned()) == 0 })
		r.until(10*time.Second, "it was given back", func() bool { return len(r.source.returned()) == 1 })
		if sources, _ := r.from.Opened(); sources != 1 {
			r.Errorf("the source was opened %d times", sources)
		}
	})
}

// A message that has been given back ten times is not given back again and again: the queue's delivery limit would drop it.
func TestStrandedMessageIsNotGivenBackTooOften(t *testing.T) {
	play(t, func(r *rig) {
		r.from.Declare("quorum", memory.Queue{DeliveryLimit: 20})
		r.spec.Source.At = broker.Address{Queue: "quorum"}
		r.spec.HoldLimit = time.Minute
		r.strands(0)
		r.from.Put("quorum", number(0))
		r.start()
		s := r.reaches(time.Hour, link.Paused)
		r.contains("the reason", s.Reason, "was given back 10 times")
		r.same("at the source", r.from.Bodies("quorum"), []string{number(0)})
	})
}
