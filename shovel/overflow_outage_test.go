package shovel_test

import (
	"strings"
	"testing"
	"time"

	"weir/link"
)

func TestOpenOverflowSurvivesLostSessions(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(100 * time.Millisecond)
		w.run(strings.ReplaceAll(excess, "{start: 100, stop: 20}", "{start: 4000, stop: 2000}"))
		all := orders("eu", 10_000)
		w.eu.Put("orders", all...)
		for range 3 {
			w.within(10*time.Second, "it moves", func() bool { return w.status().State == link.Running })
			w.eu.Cut()
			w.us.Cut()
			w.after(50 * time.Millisecond)
		}
		if s := w.status().Overflow; !s.Open || s.Switches != 1 {
			t.Fatalf("want open once, and still: %+v", s)
		}
		w.within(time.Minute, "it shuts", func() bool { return !w.status().Overflow.Open })
		w.after(time.Second)
		atLeastOnce(t, all, w.us.Messages("orders"), w.eu.Messages("orders"))
	})
}

// Ensure a gate that has opened is not shown as shut while a destination is silent.
func TestOpenOverflowIsStartingWhileItsDestinationIsSilent(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Silent()
		w.eu.Put("orders", orders("eu", 500)...)
		w.run(strings.ReplaceAll(excess, "for: 5s", "for: 0s"))
		w.within(10*time.Second, "it opens", func() bool { return w.status().Overflow.Open })
		w.after(time.Second)
		if s := w.status(); s.State != link.Starting {
			t.Errorf("%s (%s), want starting", s.State, s.Reason)
		}
	})
}

// A destination that does not answer is asked for its depth and whether it could be opened at the same time.
func TestSilentDestinationDelaysADecisionOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Silent()
		w.eu.Put("orders", orders("eu", 500)...)
		w.run(strings.NewReplacer("for: 5s", "for: 0s", "exchange: orders}", "exchange: orders, room: {watch: {queue: orders}, messages-ready: {stop: 100, resume: 50}}}").Replace(excess))
		w.within(3100*time.Millisecond, "it opens", func() bool { return w.status().Overflow.Open })
	})
}

// A broker that restarts has no consumers at first. That there were none when it went is no reason to open at once: nobody
// knows whether the start has held meanwhile.
func TestStartMustHoldAnewAfterAnOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(strings.ReplaceAll(excess, "messages-ready: {start: 100, stop: 20}, for: 5s", "consumers-below: {start: 1, stop: 1}, for: 30s"))
		w.eu.Consumers("orders", 1)
		w.eu.Put("orders", orders("eu", 10)...)
		w.after(time.Minute)
		w.eu.Consumers("orders", 0)
		w.after(2 * time.Second)
		w.eu.Down(errRefused)
		w.after(5 * time.Minute)
		w.eu.Up()
		w.always(20*time.Second, "it does not open", func() bool { return !w.status().Overflow.Open })
		w.within(15*time.Second, "it opens in the end", func() bool { return w.status().Overflow.Open })
	})
}
