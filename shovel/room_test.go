package shovel_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// roomy prefers us while it has room, and moves all there is.
const roomy = `
  roomy:
    source: {queue: orders}
    destinations:
      - {broker: us, queue: orders, room: {messages-ready: {stop: 100, resume: 40}, for: 5s}}
      - {broker: ap, queue: orders}
`

// picky knows no other place than us.
const picky = `
  picky:
    source: {queue: orders}
    destinations: [{broker: us, queue: orders, room: {messages-ready: {stop: 100, resume: 40}, for: 5s}}]
`

// most is how full a destination may get at 64 messages every 10 ms: its stop, a window that was on its way and not seen
// when the depth was read, one until it is read again, and one that had been received when the gate shut.
const most = 100 + 3*64

func TestFullDestinationIsPassedOver(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Put("orders", orders("us", 100)...)
		w.run(roomy)
		w.eu.Put("orders", orders("eu", 50)...)
		w.within(5*time.Second, "all go to the next", func() bool { return depth(w.ap, "orders") == 50 })
		same(t, "in us", w.us.Bodies("orders"), orders("us", 100))
		w.after(time.Second)
		holds(t, "the route", w.status().Route, "ap queue=orders (passed over: us queue=orders: no room: ready 100, resumes at 40)")
	})
}

func TestDestinationThatFillsUpIsLeftInTime(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(10 * time.Millisecond)
		all := orders("eu", 1000)
		w.eu.Put("orders", all...)
		w.run(roomy)
		w.within(time.Minute, "all have gone", func() bool { return depth(w.us, "orders")+depth(w.ap, "orders") == 1000 })
		if n := depth(w.us, "orders"); n < 100 || n > most {
			t.Errorf("%d in us, want about stop (100)", n)
		}
		same(t, "in order", append(w.us.Bodies("orders"), w.ap.Bodies("orders")...), all)
	})
}

func TestPreferredDestinationIsTakenAgainWhenResumeHasHeld(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Put("orders", orders("us", 100)...)
		w.run(roomy)
		w.after(2 * time.Second)
		send := func(body string) string {
			w.eu.Put("orders", body)
			w.after(time.Second)
			switch {
			case slices.Contains(w.us.Bodies("orders"), body):
				return "us"
			case slices.Contains(w.ap.Bodies("orders"), body):
				return "ap"
			}
			return "nowhere"
		}
		went := map[string]string{}
		went["full"] = send("while full")
		w.us.Take("orders", 59)
		w.after(time.Minute)
		went["41 ready"] = send("above resume")
		w.us.Take("orders", 1)
		w.after(3 * time.Second)
		went["40 ready for 3s"] = send("before it has held")
		w.us.Put("orders", "a burst")
		w.after(2 * time.Second)
		w.us.Take("orders", 1)
		w.after(3 * time.Second)
		went["40 ready, anew, for 3s"] = send("the burst begins it anew")
		w.after(3 * time.Second)
		went["40 ready for 7s"] = send("when it has held")
		want := map[string]string{"full": "ap", "41 ready": "ap", "40 ready for 3s": "ap", "40 ready, anew, for 3s": "ap", "40 ready for 7s": "us"}
		if fmt.Sprint(went) != fmt.Sprint(want) {
			t.Errorf("went to %v\nwant    %v", went, want)
		}
	})
}

func TestGateShutsWithAReasonWhenNoDestinationHasRoom(t *testing.T) {
	inWorld(t, func(w *world) {
		all := orders("eu", 1000)
		w.us.Latency(10 * time.Millisecond)
		w.eu.Put("orders", all...)
		w.run(picky)
		w.within(time.Minute, "it shuts", func() bool { return w.status().State == link.Shut })
		w.after(time.Second)
		holds(t, "the reason", w.status().Reason, "no destination has room: us queue=orders: no room: ready")
		n := depth(w.us, "orders")
		if n < 100 || n > most {
			t.Errorf("%d in us, want about stop (100)", n)
		}
		for _, m := range w.eu.Messages("orders") {
			if m.Redelivered {
				t.Fatalf("%s was taken and given back", m.Body)
			}
		}
		w.always(time.Minute, "it stays shut", func() bool { return depth(w.us, "orders") == n })
		w.us.Take("orders", n)
		w.within(10*time.Second, "it goes on", func() bool { return depth(w.us, "orders") > 0 })
	})
}

// To give it back would count towards a quorum queue's delivery limit.
func TestWhatWasReceivedIsForwardedWhenTheLastRoomIsFull(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.Put("orders", orders("eu", 1000)...)
		w.run(picky + "    rate-limit: 50/s\n")
		w.after(2 * time.Second)
		w.us.Put("orders", orders("us", 100)...) // others fill it
		w.within(20*time.Second, "it shuts", func() bool { return w.status().State == link.Shut && w.status().InFlight == 0 })
		if unacked(w, "orders") != 0 {
			t.Error("some are still held")
		}
		for _, m := range w.eu.Messages("orders") {
			if m.Redelivered {
				t.Fatalf("%s was taken and given back", m.Body)
			}
		}
	})
}

func TestRoomThatIsNotKnownIsNoRoom(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.HideDepth(true)
		w.eu.Put("orders", "1")
		w.run(picky)
		w.always(time.Minute, "nothing goes", func() bool { return depth(w.us, "orders") == 0 })
		holds(t, "the reason", w.status().Reason, "room not known yet")
		w.us.HideDepth(false)
		w.within(2*time.Second, "it goes", func() bool { return depth(w.us, "orders") == 1 })
		w.us.HideDepth(true)
		w.eu.Put("orders", "2")
		w.within(2*time.Second, "what was known stands", func() bool { return depth(w.us, "orders") == 2 })
	})
}

// Nobody has watched the room meanwhile, so that what held before a pause does not count after it.
func TestRoomIsJudgedAnewAfterAPause(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Put("orders", orders("us", 100)...)
		w.run(roomy)
		w.after(2 * time.Second)
		w.link("roomy").Pause("maintenance")
		w.after(time.Hour)
		w.us.Take("orders", 50) // above resume, below stop
		w.link("roomy").Resume()
		w.after(time.Second)
		w.eu.Put("orders", "1")
		w.within(time.Second, "it goes to us", func() bool { return depth(w.us, "orders") == 51 })
	})
}

func TestRoomThatCannotBeReadSaysWhy(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(strings.ReplaceAll(picky, "room: {", "room: {watch: {queue: nowhere}, "))
		w.within(5*time.Second, "it says why", func() bool { return strings.Contains(w.status().Reason, "room not known: ") })
		holds(t, "the reason", w.status().Reason, broker.ErrNotFound.Error())
		w.after(time.Minute)
		if n := len(w.log.lines("room at destination cannot be read")); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}

// A destination whose broker does not answer at all must not keep the room of another from being seen.
func TestSilentDestinationDoesNotHideAnother(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Silent()
		w.ap.Latency(10 * time.Millisecond)
		w.run(strings.ReplaceAll(roomy, "- {broker: ap, queue: orders}",
			"- {broker: ap, queue: orders, room: {messages-ready: {stop: 100, resume: 40}}}"))
		w.eu.Put("orders", orders("eu", 1000)...)
		w.within(30*time.Second, "it shuts", func() bool { return w.status().State == link.Shut && depth(w.ap, "orders") > 0 })
		if n := depth(w.ap, "orders"); n < 100 || n > most {
			t.Errorf("%d in ap, want about stop (100)", n)
		}
	})
}

func TestOverflowOpensTowardsTheDestinationWithRoom(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Put("orders", orders("us", 100)...)
		w.eu.Put("orders", orders("eu", 200)...)
		w.run(roomy + "    overflow: {messages-ready: {start: 100, stop: 20}, for: 2s}\n")
		w.within(10*time.Second, "it shuts again", func() bool { return w.status().Overflow.Switches == 2 })
		opened := w.status().Overflow.Decisions[1]
		if opened.Destination != "ap queue=orders" {
			t.Errorf("decided on %q", opened.Destination)
		}
		same(t, "passed over", opened.PassedOver, []string{"us queue=orders: no room: ready 100, resumes at 40"})
		same(t, "in us", w.us.Bodies("orders"), orders("us", 100))
	})
}

// A destination that weir declares when it opens it has room before; one that somebody else must declare has not.
func TestRoomInAQueueThatIsNotThereYet(t *testing.T) {
	const first = "  first:\n    source: {queue: orders}\n    destinations: [{broker: us, queue: inbox, %sroom: {messages-ready: {stop: 100, resume: 40}}}]\n"
	t.Run("declared by the shovel", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.eu.Put("orders", "1")
			w.run(fmt.Sprintf(first, ""))
			w.within(5*time.Second, "it goes", func() bool { return slices.Contains(w.us.QueueNames(), "inbox") && depth(w.us, "inbox") == 1 })
		})
	})
	t.Run("predeclared", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.eu.Put("orders", "1")
			w.run(fmt.Sprintf(first, "predeclared: true, "))
			w.always(time.Minute, "it waits", func() bool { return !slices.Contains(w.us.QueueNames(), "inbox") })
			holds(t, "the reason", w.status().Reason, "us queue=inbox: room not known: queue=inbox: "+broker.ErrNotFound.Error())
		})
	})
}

// The one with room is lost for a moment while the other is full: what waits meanwhile must not be overtaken.
func TestOrderIsKeptWhileTheDestinationWithRoomReconnects(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(20 * time.Millisecond)
		w.ap.Latency(20 * time.Millisecond)
		w.us.Put("orders", orders("us", 100)...)
		w.run(roomy)
		all := orders("eu", 2000)
		for i, batch := range slices.Collect(slices.Chunk(all, 10)) {
			w.eu.Put("orders", batch...)
			w.after(10 * time.Millisecond)
			if i%50 == 25 {
				w.ap.Cut()
			}
		}
		w.within(time.Minute, "all have gone", func() bool { return depth(w.eu, "orders") == 0 && w.status().InFlight+w.status().Held == 0 })
		w.after(time.Second)
		seen := map[string]bool{}
		var first []*broker.Message
		for _, m := range w.ap.Messages("orders") {
			if !seen[string(m.Body)] {
				first = append(first, m)
			}
			seen[string(m.Body)] = true
		}
		inOrder(t, "in ap", first)
		atLeastOnce(t, all, w.ap.Messages("orders"))
	})
}

// While that lasts, messages are held as if the only destination were away: no more than a window of them, and they are
// given back once.
func TestFullAndAbsentDestinationsHoldAWindowAtMost(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(20 * time.Millisecond)
		w.ap.Down(errRefused)
		w.run(roomy)
		w.eu.Put("orders", orders("eu", 5000)...)
		w.within(time.Minute, "us is full", func() bool { return w.status().State == link.Holding })
		holds(t, "the reason", w.status().Reason, ": no room: ready ")
		w.after(time.Hour)
		returned := 0
		for _, m := range w.eu.Messages("orders") {
			if m.Origin.Returns > 1 {
				t.Fatalf("%s was given back %d times", m.Body, m.Origin.Returns)
			}
			returned += m.Origin.Returns
		}
		if returned == 0 || returned > 64 {
			t.Errorf("%d were given back, want a window at most", returned)
		}
		if n := depth(w.us, "orders") + depth(w.eu, "orders"); n != 5000 {
			t.Errorf("%d messages are there, want 5000", n)
		}
		w.us.Drain("orders")
		w.within(time.Minute, "it goes on", func() bool { return depth(w.us, "orders") > 0 })
	})
}
