package federation_test

import (
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// Two queues that are each other's upstream, and consumers only on one side, then only on the other.
func TestBothDirectionsUntilNothingIsLeft(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.eu, 0, 3000)
		w.gateway("eu", workFromUS)
		w.gateway("us", workFromEU)
		there := w.worker(w.us, 50, time.Millisecond)
		w.within(time.Minute, "a third is done in us", func() bool { return done(there) > 1000 })
		there.stop()
		here := w.worker(w.eu, 50, time.Millisecond)
		w.within(time.Minute, "all is done", func() bool { return done(there, here) == 3000 })
		w.allOnce(3000, there, here)
		for _, b := range []*memory.Broker{w.eu, w.us} {
			if n := len(b.Bodies("work")); n != 0 {
				w.Errorf("%d messages are left", n)
			}
		}
	})
}

// Two gateways of one site compete, and each message comes once.
func TestTwoGatewaysShareAFederatedQueue(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 2000)
		worker := w.worker(w.eu, 20, time.Millisecond)
		one, two := w.gateway("eu", workFromUS), w.gateway("eu", workFromUS)
		w.within(time.Minute, "a part is done", func() bool { return done(worker) > 700 })
		first, second := moves(one), moves(two)
		one.stop()
		w.within(time.Minute, "all is done", func() bool { return done(worker) == 2000 })
		w.allOnce(2000, worker)
		if first == 0 || second == 0 {
			w.Errorf("one gateway brought %d messages, the other %d", first, second)
		}
	})
}

// Both sides have consumers, all of them busy for long, and a few messages wait on one side. Nobody can tell from outside
// that they are busy.
func TestTwoBusySidesDoNotPlayPingPong(t *testing.T) {
	for name, apart := range map[string]bool{"one process": false, "two processes": true} {
		t.Run(name, func(t *testing.T) {
			inQueues(t, func(w *world) {
				for _, b := range []*memory.Broker{w.eu, w.us} {
					b.Consume("work", 1, nil)
					put(b, 0, 1)
				}
				put(w.eu, 1, 3)
				var all []*gateway
				if apart {
					all = append(all, w.gateway("eu", workFromUS), w.gateway("us", workFromEU))
				} else {
					all = append(all, w.gateway("eu", bothWays))
				}
				w.after(time.Second)
				first := moves(all...)
				w.after(time.Minute)
				then := moves(all...)
				w.after(10 * time.Minute)
				last := moves(all...)
				if first > 9 || then > 50 || last-then > 3*10*2*2 {
					w.Errorf("messages moved %d times in the first second, %d in a minute, %d in the ten minutes after", first, then, last-then)
				}
				total := 0
				for _, b := range []*memory.Broker{w.eu, w.us} {
					for _, m := range b.Messages("work") {
						total++
						if hops, _ := m.Headers["x-received-from"].(broker.Array); len(hops) > 2 {
							w.Errorf("the list of hops grows: %v", hops)
						}
					}
				}
				if total != 3 {
					w.Errorf("%d messages wait, want 3", total)
				}
			})
		})
	}
}

func TestIdleSidesMoveNothing(t *testing.T) {
	inQueues(t, func(w *world) {
		a, b := w.gateway("eu", workFromUS), w.gateway("us", workFromEU)
		w.eu.Consumers("work", 1) // they take nothing
		w.us.Consumers("work", 1)
		w.after(time.Minute)
		if n := moves(a, b); n != 0 {
			w.Errorf("%d messages moved", n)
		}
		if s := a.status(fromUSLink); s.State != link.Idle {
			w.Errorf("status %+v", s)
		}
	})
}
