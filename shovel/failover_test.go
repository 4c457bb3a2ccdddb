package shovel_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// pair prefers us and falls back to ap.
const pair = `
  pair:
    source: {queue: orders}
    destinations: [{broker: us, queue: orders}, {broker: ap, queue: orders}]
`

var errRefused = errors.New("connection refused")

func TestNextDestinationTakesOverWithoutLoss(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(20 * time.Millisecond)
		w.ap.Latency(50 * time.Millisecond)
		all := orders("eu", 20_000)
		w.eu.Put("orders", all...)
		w.run(pair)
		w.within(time.Minute, "it is in full flow", func() bool { return depth(w.us, "orders") > 2000 })
		w.us.Down(errRefused)
		w.us.Cut()
		w.within(time.Minute, "the rest goes to the next", func() bool { return depth(w.eu, "orders") == 0 && w.status().InFlight == 0 })
		atLeastOnce(t, all, w.us.Messages("orders"), w.ap.Messages("orders"))
		if depth(w.ap, "orders") == 0 {
			t.Error("nothing in ap")
		}
		if sources, _ := w.eu.Opened(); sources != 1 {
			t.Errorf("the source was opened %d times: it must keep what it holds", sources)
		}
		holds(t, "the route", w.status().Route, "ap queue=orders (passed over: us queue=orders: unreachable: connection refused)")
		if n := len(w.log.lines("destination passed over")); n != 1 {
			t.Errorf("passing over is logged %d times", n)
		}
	})
}

func TestPreferredDestinationIsTakenAgainWhenItIsBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Down(errRefused)
		w.run(pair)
		w.eu.Put("orders", "while away")
		w.within(5*time.Second, "it goes to the next", func() bool { return depth(w.ap, "orders") == 1 })
		w.after(time.Hour)
		w.us.Up()
		w.after(35 * time.Second) // the longest back-off is 30 s
		w.eu.Put("orders", "when back")
		w.within(time.Second, "it goes to the first", func() bool { return depth(w.us, "orders") == 1 })
		if n := len(w.log.lines("destination is back")); n != 1 {
			t.Errorf("its return is logged %d times", n)
		}
	})
}

// Most often another node of the same cluster is there at once.
func TestShortCutDoesNotSendMessagesElsewhere(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(pair)
		w.after(time.Hour)
		w.us.Cut()
		w.eu.Put("orders", "1")
		w.after(2 * time.Second)
		same(t, "in us", w.us.Bodies("orders"), []string{"1"})
		same(t, "in ap", w.ap.Bodies("orders"), nil)
	})
}

func TestTroubleLongAgoDoesNotDelayTheReturn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(pair)
		for range 5 {
			w.after(2 * time.Second)
			w.us.Cut()
		}
		w.after(time.Hour)
		w.us.Cut()
		w.after(time.Second)
		w.eu.Put("orders", "1")
		w.after(time.Second)
		same(t, "in us", w.us.Bodies("orders"), []string{"1"})
	})
}

func TestLossOfADestinationThatIsNotInUseDoesNotStopTheFlow(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(pair)
		w.after(time.Second)
		w.us.Block("memory alarm")
		w.eu.Put("orders", "1")
		w.within(2*time.Second, "ap is in use", func() bool { return depth(w.ap, "orders") == 1 })
		w.us.Silent()
		w.us.Cut()
		w.after(time.Second)
		w.eu.Put("orders", "2")
		w.within(time.Second, "it goes on", func() bool { return depth(w.ap, "orders") == 2 })
	})
}

// An operator has to act only if none of them will come back by itself.
func TestDeniedIsShownOnlyWhenEveryDestinationIs(t *testing.T) {
	for state, denied := range map[link.State]bool{link.Denied: true, link.Retrying: false} {
		inWorld(t, func(w *world) {
			w.us.Deny("orders")
			if denied {
				w.ap.Deny("orders")
			} else {
				w.ap.Down(errRefused)
			}
			w.run(pair)
			w.after(5 * time.Second)
			if s := w.status(); s.State != state {
				t.Errorf("%s: %s, want %s", s.State, s.Reason, state)
			}
		})
	}
}

func TestSilentDestinationGivesWayToTheNext(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Silent()
		w.run(pair)
		w.eu.Put("orders", "1")
		w.within(15*time.Second, "it goes to the next", func() bool { return depth(w.ap, "orders") == 1 })
	})
}

// us opens, and loses every session at the first message: nothing that can be seen when it is opened.
func TestDestinationThatIsLostAgainAndAgainGivesWayToTheNext(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ap.DeclareExchange("shop", "fanout")
		w.ap.Bind("orders", "shop", "")
		w.eu.DeclareExchange("shop", "fanout")
		w.eu.Bind("orders", "shop", "")
		w.run(strings.ReplaceAll(pair, ", queue: orders}", "}"))
		all := orders("eu", 300)
		for _, body := range all {
			w.publish(w.eu, &broker.Message{Exchange: "shop", Body: []byte(body)})
		}
		w.within(2*time.Minute, "all are in ap", func() bool { return depth(w.eu, "orders") == 0 && w.status().InFlight == 0 })
		atLeastOnce(t, all, w.ap.Messages("orders"))
	})
}

// us takes messages and never confirms one, as a quorum queue without its majority does.
func TestDestinationThatConfirmsNothingGivesWayToTheNext(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.HoldConfirms()
		all := orders("eu", 1000)
		w.eu.Put("orders", all...)
		w.run(pair)
		w.within(2*time.Minute, "all are in ap", func() bool { return depth(w.eu, "orders") == 0 && w.status().InFlight == 0 })
		atLeastOnce(t, all, w.ap.Messages("orders"))
		w.after(time.Second)
		holds(t, "the route", w.status().Route, "us queue=orders: unreachable: it takes messages and confirms none")
		w.us.ReleaseConfirms()
		w.after(time.Minute)
		w.eu.Put("orders", "one more")
		w.within(time.Second, "us is taken again", func() bool { return slices.Contains(w.us.Bodies("orders"), "one more") })
	})
}

func TestDestinationThatAsksToWaitIsPassedOver(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(pair)
		w.after(time.Second)
		w.us.Block("memory alarm")
		w.eu.Put("orders", "1")
		w.within(2*time.Second, "it goes to the next", func() bool { return depth(w.ap, "orders") == 1 })
		w.after(2 * time.Second)
		holds(t, "the route", w.status().Route, "us queue=orders: blocked: memory alarm")
		w.us.Unblock()
		w.eu.Put("orders", "2")
		w.within(time.Second, "the first is taken again", func() bool { return depth(w.us, "orders") == 1 })
	})
}

func TestFlowWaitsWhileEveryDestinationAsksTo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.ap.Down(errRefused)
		w.us.Block("disk alarm")
		w.run(pair)
		w.eu.Put("orders", "1")
		w.within(5*time.Second, "it is blocked", func() bool { return w.status().State == link.Blocked })
		holds(t, "the reason", w.status().Reason, "disk alarm")
		w.always(5*time.Minute, "it waits", func() bool { return w.status().State == link.Blocked })
		w.ap.Up()
		w.within(35*time.Second, "one that is back is taken", func() bool { return depth(w.ap, "orders") == 1 })
		if sources, _ := w.eu.Opened(); sources != 1 {
			t.Errorf("the source was opened %d times", sources)
		}
	})
}

func TestFlowGoesOnWhenTheBlockEnds(t *testing.T) {
	for name, shovels := range map[string]string{"one of two": pair, "with room": picky} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.ap.Down(errRefused)
				w.run(shovels)
				w.after(time.Second)
				w.us.Block("disk alarm")
				w.eu.Put("orders", "1")
				w.after(10 * time.Minute)
				w.us.Unblock()
				w.within(time.Second, "it goes on", func() bool { return depth(w.us, "orders") == 1 })
			})
		})
	}
}

func TestPausedShovelDrainsToTheDestinationInUse(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Down(errRefused)
		w.ap.Latency(100 * time.Millisecond)
		w.eu.Put("orders", orders("eu", 5000)...)
		w.run(pair)
		w.within(time.Minute, "it is in full flow", func() bool { return depth(w.ap, "orders") > 500 })
		w.link("pair").Pause("maintenance")
		w.within(20*time.Second, "it pauses", func() bool { return w.status().State == link.Paused && w.status().InFlight == 0 })
		w.after(time.Second)
		once(t, orders("eu", 5000), w.eu.Messages("orders"), w.ap.Messages("orders"))
		for _, m := range w.eu.Messages("orders") {
			if m.Redelivered {
				t.Fatalf("%s was taken and given back", m.Body)
			}
		}
	})
}
