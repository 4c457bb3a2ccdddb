package link_test

import (
	"testing"
	"time"

	"weir/link"
)

func TestPauseDrainsAndResumeGoesOn(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(20 * time.Millisecond)
		r.put(3000)
		r.start()
		for range 5 {
			r.until(5*time.Second, "messages are in flight", func() bool { return r.link.Status().InFlight > 10 })
			r.link.Pause("maintenance")
			s := r.reaches(time.Second, link.Paused)
			r.contains("the reason", s.Reason, "maintenance")
			n := len(r.out())
			r.during(time.Minute, "nothing moves", func() bool { return len(r.out()) == n && r.unacked() == 0 })
			r.link.Resume()
		}
		r.arrived(time.Minute, 3000)
		r.exactly(3000)
		if again := r.source.returned(); len(again) > 0 {
			r.Errorf("%d were given back", len(again))
		}
	})
}

func TestPausedAgainForAnotherReasonSaysSo(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.OnRefused = link.Recourse{Attempts: 1}
		r.refuses(refusals["refused"], 0)
		r.put(1)
		r.start()
		s := r.reaches(5*time.Second, link.Paused)
		r.contains("the reason", s.Reason, "basic.nack")
		r.link.Pause("until Monday")
		r.after(0)
		r.contains("the reason", r.link.Status().Reason, "until Monday")
	})
}

// What a link finds itself while it drains does not overrule the operator who has paused it.
func TestPauseByHandOutlastsASelfPause(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.OnRefused = link.Recourse{Attempts: 1}
		r.refuses(refusals["refused"], 0)
		r.to.Latency(time.Second)
		r.put(1)
		r.start()
		r.until(time.Second, "it is in flight", func() bool { return r.link.Status().InFlight == 1 })
		r.link.Pause("until Monday")
		s := r.reaches(5*time.Second, link.Paused)
		r.contains("the reason", s.Reason, "until Monday")
	})
}

func TestPauseWorksInEveryState(t *testing.T) {
	for name, arm := range map[string]func(r *rig){
		"retrying": func(r *rig) { r.to.Down(errAway); r.spec.Reconnect = link.Delays{Min: time.Hour, Max: time.Hour} },
		"shut":     func(r *rig) { r.spec.Gate = newGate(false) },
		"gate fails": func(r *rig) {
			g := newGate(true)
			g.fail(errAway)
			r.spec.Gate, r.spec.Reconnect = g, link.Delays{Min: time.Hour, Max: time.Hour}
		},
		"idle":   func(*rig) {},
		"silent": func(r *rig) { r.to.Silent() },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(r *rig) {
				arm(r)
				r.start()
				r.after(5 * time.Second)
				r.link.Pause("by hand")
				r.reaches(100*time.Millisecond, link.Paused)
			})
		})
	}
}

func TestDeclaredPausedRunsOnlyAfterResume(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Paused = true
		r.put(5)
		r.start()
		r.during(time.Hour, "it is paused", func() bool { return r.state() == link.Paused && len(r.from.Bodies("in")) == 5 })
		r.contains("the reason", r.link.Status().Reason, "declared paused")
		r.link.Resume()
		r.arrived(time.Second, 5)
	})
}
