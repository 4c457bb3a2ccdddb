package link_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// chokes is a destination with a poison message: on it the session is lost, with all that is in flight. Alone in flight,
// the broker's answer is known to be about it.
func chokes(r *rig, poison string, answer error) destination {
	return destination{
		Destination: r.spec.Destination,
		wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
			return &choke{Sink: s, poison: poison, answer: answer}
		},
	}
}

type choke struct {
	broker.Sink
	poison string
	answer error

	mu       sync.Mutex
	inFlight []broker.Confirm
}

func (c *choke) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if string(m.Body) != c.poison {
		confirm, err := c.Sink.Send(ctx, m)
		if err == nil {
			c.inFlight = append(c.inFlight, confirm)
		}
		return confirm, err
	}
	answer := &broker.Answer{}
	time.AfterFunc(5*time.Millisecond, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		alone := !slices.ContainsFunc(c.inFlight, func(other broker.Confirm) bool {
			return other != answer && errors.Is(other.Err(), broker.ErrPending)
		})
		if alone {
			answer.Settle(c.answer)
		}
		answer.Settle(broker.ErrLost)
		_ = c.Close()
	})
	c.inFlight = append(c.inFlight, answer)
	return answer, nil
}

func TestPoisonMessageIsFoundAndItsNeighboursAreUnharmed(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(10 * time.Millisecond)
		r.spec.Destination = chokes(r, number(7), fmt.Errorf("%w: 406", broker.ErrTooLarge))
		r.spec.OnRefused = link.Recourse{Then: link.Drop}
		r.put(30)
		r.start()
		r.until(time.Minute, "one is dropped", func() bool { return r.link.Status().Counts.Dropped == 1 })
		r.after(5 * time.Second)
		want := append(numbers(7), numbers(30)[8:]...)
		r.same("what arrived", r.out(), want)
		r.empty()
		if _, sinks := r.to.Opened(); sinks > 6 {
			r.Errorf("%d sessions were needed", sinks)
		}
		if again := r.source.returned(); len(again) > 0 {
			r.Errorf("given back: %s", brief(again))
		}
	})
}

// The shared connection is harmed twice; after that the link is on one of its own.
func TestPoisonMessageHarmsASharedConnectionOnlyTwice(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(10 * time.Millisecond)
		d := chokes(r, number(7), broker.ErrLost) // nobody knows why
		choke, shared, alone := d.wrap, 0, 0
		d.wrap = func(s broker.Sink, o broker.SinkOptions) broker.Sink {
			if o.Alone {
				alone++
			} else {
				shared++
			}
			return choke(s, o)
		}
		r.spec.Destination = d
		r.spec.HoldLimit = time.Hour
		r.put(30)
		r.start()
		r.after(50 * time.Minute)
		if shared > 4 || alone < 1000 {
			r.Errorf("%d sessions on shared connections, %d alone", shared, alone)
		}
		r.same("what arrived", r.out(), numbers(7))
		if n := r.unacked(); n != 23 {
			r.Errorf("%d are held, want 23", n)
		}
	})
}
