package shovel_test

import (
	"strings"
	"testing"
	"time"

	"weir/link"
)

func TestHandOverridesTheThresholdsWhileItRuns(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(excess)
		w.eu.Put("orders", "1", "2", "3")
		w.after(10 * time.Second)
		w.link("excess").Override(link.On)
		w.within(time.Second, "on moves what is there", func() bool { return depth(w.us, "orders") == 3 })
		w.link("excess").Override(link.Off)
		w.within(time.Second, "off is shown", func() bool { return w.status().Reason == "switched off by hand" })
		w.eu.Put("orders", orders("eu", 500)...)
		w.always(time.Minute, "off moves nothing", func() bool { return depth(w.eu, "orders") == 500 })
		w.link("excess").Override(link.Auto)
		w.within(10*time.Second, "auto decides by the thresholds", func() bool { return depth(w.us, "orders") > 3 })
		if mode := w.status().Overflow.Mode; mode != link.Auto {
			t.Errorf("mode %q", mode)
		}
	})
}

// What nobody watches is not shown as open, whatever was decided last.
func TestPausedOverflowIsNotOpen(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(100 * time.Millisecond)
		w.run(strings.ReplaceAll(excess, "{start: 100, stop: 20}", "{start: 4000, stop: 20}"))
		w.eu.Put("orders", orders("eu", 5000)...)
		w.within(10*time.Second, "it is open", func() bool { return w.status().Overflow.Open })
		w.link("excess").Pause("maintenance")
		w.within(25*time.Second, "it is paused", func() bool { return w.status().State == link.Paused && w.status().InFlight == 0 })
		if w.status().Overflow.Open {
			t.Error("paused and open")
		}
		w.link("excess").Resume()
		w.within(2*time.Second, "it goes on", func() bool { return w.status().Overflow.Open })
	})
}

// A resumed link waits at its gate, which has shut only then.
func TestResumedOverflowTellsThatItIsShut(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(100 * time.Millisecond)
		w.run(strings.ReplaceAll(excess, "{start: 100, stop: 20}", "{start: 4000, stop: 20}"))
		w.eu.Put("orders", orders("eu", 5000)...)
		w.within(10*time.Second, "it is open", func() bool { return w.status().Overflow.Open })
		w.link("excess").Pause("maintenance")
		w.after(5 * time.Second)
		w.eu.Drain("orders")
		w.link("excess").Resume()
		w.within(5*time.Second, "it is shut, and says why", func() bool {
			s := w.status()
			return s.State == link.Shut && s.Reason == "ready 0, opens at 4000"
		})
	})
}

// What a hand says while a decision is being prepared counts more than that.
func TestHandIsQuickerThanASilentDestination(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Silent()
		w.eu.Put("orders", orders("eu", 500)...)
		w.run(strings.ReplaceAll(excess, "for: 5s", "for: 0s"))
		w.after(time.Second)
		w.link("excess").Override(link.Off)
		w.always(time.Minute, "it does not open", func() bool { return !w.status().Overflow.Open && w.status().Overflow.Switches == 0 })
		holds(t, "the reason", w.status().Reason, "switched off by hand")
	})
}
