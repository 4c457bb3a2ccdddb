package link_test

import (
	"testing"
	"time"

	"weir/link"
)

// An owner does not let go whenever there is nothing to do, or two gateways would take the link from each other.
func TestOwnerIsKeptWhileTheGateOpensAndShuts(t *testing.T) {
	play(t, func(r *rig) {
		owner, g := newGate(true), newGate(false)
		r.spec.Owner, r.spec.Gate = owner, g
		r.start()
		for range 3 {
			r.reaches(5*time.Second, link.Shut)
			g.set(true)
			r.put(10)
			r.until(time.Second, "they have gone", func() bool { return r.remain() == 0 })
			g.set(false)
		}
		r.reaches(time.Second, link.Shut)
		if owner.opened != 1 || owner.done != 0 {
			r.Errorf("owned %d times, given up %d times", owner.opened, owner.done)
		}
		r.link.Pause("for the night")
		r.reaches(time.Second, link.Paused)
		if owner.done != 1 || g.done != g.opened {
			r.Errorf("paused: owned %d times, given up %d times; gate opened %d times, done %d times",
				owner.opened, owner.done, g.opened, g.done)
		}
		r.link.Resume()
		r.reaches(time.Second, link.Shut)
		r.exactly(30)
	})
}

func TestOwnerIsGivenUpWhenTheLinkEndsByItself(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(r *rig)
		ends link.State
	}{
		"finished":      {func(r *rig) { r.spec.DeleteAfter = 1 }, link.Finished},
		"pauses itself": {func(r *rig) { r.spec.OnRefused.Attempts = 1; r.refuses(refusals["refused"], 0) }, link.Paused},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(r *rig) {
				owner := newGate(true)
				r.spec.Owner = owner
				c.set(r)
				r.put(1)
				r.start()
				r.reaches(time.Minute, c.ends)
				if owner.opened != 1 || owner.done != 1 {
					r.Errorf("owned %d times, given up %d times", owner.opened, owner.done)
				}
			})
		})
	}
}

func TestLinkThatAnotherGatewayOwnsStandsBy(t *testing.T) {
	play(t, func(r *rig) {
		owner, g := newGate(false), newGate(false)
		owner.state = link.Standby
		r.spec.Owner, r.spec.Gate = owner, g
		r.put(1)
		r.start()
		r.reaches(time.Second, link.Standby)
		r.during(time.Minute, "the gate is not asked", func() bool { return r.state() == link.Standby && g.opened == 0 })
		owner.set(true)
		r.reaches(time.Second, link.Shut)
		g.set(true)
		r.arrived(time.Second, 1)
		owner.set(false)
		r.reaches(time.Second, link.Standby)
	})
}
