package shovel_test

import (
	"log/slog"
	"testing"
	"time"

	"weir/link"
)

const single = `
  single:
    source: {queue: orders}
    destinations: [{broker: us, queue: orders}]
    single-owner: true
`

// second is another gateway with the same configuration.
func (w *world) second(shovels string) *link.Group {
	g := link.NewGroup(w.Context(), slog.New(slog.DiscardHandler))
	g.Apply(w.specs(shovels))
	w.Cleanup(g.Wait)
	return g
}

func TestSingleOwnerRunsOnOneGatewayAtATime(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(single)
		w.after(time.Second)
		other := w.second(single)
		w.after(time.Second)
		s := other.Statuses()[0]
		if s.State != link.Standby || w.status().State != link.Idle {
			t.Fatalf("one is %s, the other %s", w.status().State, s.State)
		}
		holds(t, "the reason", s.Reason, "another gateway runs it")

		all := orders("eu", 2000)
		w.us.Latency(50 * time.Millisecond)
		w.eu.Put("orders", all...)
		w.within(time.Second, "it is in full flow", func() bool { return depth(w.us, "orders") > 100 })
		w.link("single").Pause("maintenance")
		w.within(25*time.Second, "the other takes over", func() bool { return other.Statuses()[0].State == link.Running })
		w.within(time.Minute, "all are there", func() bool { return depth(w.us, "orders") == len(all) })
		same(t, "in us, in order", w.us.Bodies("orders"), all)

		w.link("single").Resume()
		w.after(time.Second)
		if s := w.status(); s.State != link.Standby {
			t.Errorf("the first is %s, while the other owns it", s.State)
		}
	})
}

// Ensure an owner that stops gives up the lock when it has drained, and not before: else two would be at work.
func TestOwnerDrainsFirst(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(single)
		w.after(time.Second)
		other := w.second(single)
		w.us.Latency(time.Second)
		w.eu.Put("orders", orders("eu", 2000)...)
		w.within(5*time.Second, "it is in full flow", func() bool { return w.status().InFlight > 10 })
		w.link("single").Pause("maintenance")
		w.within(25*time.Second, "the other takes over", func() bool { return other.Statuses()[0].State != link.Standby })
		if s := w.status(); s.State != link.Paused || s.InFlight > 0 {
			t.Errorf("the other has taken over, and the first is %s with %d in flight", s.State, s.InFlight)
		}
	})
}

// Ensure an owner stops when it is told to: a lock ends with its owner, and not the other way round.
func TestOwnerStops(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(single)
		w.within(time.Second, "it is open", func() bool { return w.status().State == link.Idle })
		other := w.second(single)
		w.link("single").Pause("maintenance")
		w.within(time.Second, "it is paused", func() bool { return w.status().State == link.Paused })
		w.within(time.Second, "the other has taken over", func() bool { return other.Statuses()[0].State == link.Idle })
	})
}

func TestLostLockStopsTheLinkUntilItIsOwnedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(single)
		w.after(time.Second)
		other := w.second(single)
		w.eu.Cut() // both the lock and the sessions
		w.after(5 * time.Second)
		states := map[link.State]int{w.status().State: 1}
		states[other.Statuses()[0].State]++
		if states[link.Idle] != 1 || states[link.Standby] != 1 {
			t.Errorf("want one idle, one on standby: %v", states)
		}
		w.eu.Put("orders", "1")
		w.within(time.Second, "it goes", func() bool { return depth(w.us, "orders") == 1 })
	})
}

// The owner of an overflow stays the owner while it opens and shuts again and again: the other gateway stands by
// throughout, watches nothing, and takes over when the owner gives up.
func TestSingleOwnerWithOverflowWatchesOnOneGateway(t *testing.T) {
	inWorld(t, func(w *world) {
		shovels := excess + "    single-owner: true\n"
		w.run(shovels)
		w.after(time.Second)
		other := w.second(shovels)
		for range 3 {
			w.eu.Put("orders", orders("eu", 500)...)
			w.within(10*time.Second, "the owner opens", func() bool { return w.status().Overflow.Open })
			w.within(time.Minute, "it shuts", func() bool { return w.status().State == link.Shut && !w.status().Overflow.Open })
			w.always(20*time.Second, "the other stands by", func() bool {
				s := other.Statuses()[0]
				return s.State == link.Standby && s.Overflow.Switches == 0
			})
		}
		w.link("excess").Pause("maintenance")
		w.within(25*time.Second, "the other watches", func() bool { return other.Statuses()[0].State == link.Shut })
		w.eu.Put("orders", orders("eu", 500)...)
		w.within(10*time.Second, "and opens", func() bool { return other.Statuses()[0].Overflow.Open })
	})
}
