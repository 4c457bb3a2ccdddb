package federation_test

import (
	"testing"
	"time"

	"weir/link"
)

func TestNothingComesWithoutConsumers(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 100)
		g := w.gateway("eu", workFromUS)
		w.after(30 * time.Second)
		if n := len(w.us.Bodies("work")); n != 100 {
			w.Errorf("%d of 100 messages are left upstream", n)
		}
		s := g.status(fromUSLink)
		if s.State != link.Shut || s.Reason != "no consumers downstream" || s.Federation.Policy != "work" || s.Federation.Upstream != "us" {
			w.Errorf("status %+v, federation %+v", s, s.Federation)
		}
		if sources, _ := w.us.Opened(); sources != 0 {
			w.Errorf("%d sources were opened", sources)
		}
	})
}

func TestAllComesWhileConsumersAreFast(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 4000)
		g := w.gateway("eu", workFromUS)
		worker := w.worker(w.eu, 20, 500*time.Microsecond)
		w.within(2500*time.Millisecond, "all is done at 2,000 a second", func() bool { return done(worker) == 4000 })
		w.allOnce(4000, worker)
		if sources, _ := w.us.Opened(); sources != 1 {
			w.Errorf("%d sources were opened for one flow", sources)
		}
		w.within(10*time.Second, "open, and nothing stranded", func() bool {
			s := g.status(fromUSLink)
			return s.State == link.Idle && *s.Federation.Stranded == 0 && *s.Federation.Batch >= 100
		})
	})
}

func TestAGateDoesNotFlapWithSlowConsumers(t *testing.T) {
	for _, takes := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 700 * time.Millisecond, 3 * time.Second} {
		t.Run(takes.String(), func(t *testing.T) {
			inQueues(t, func(w *world) {
				put(w.us, 0, 10_000)
				w.gateway("eu", workFromUS)
				a, b := w.worker(w.eu, 1, takes), w.worker(w.eu, 1, takes)
				const seconds = 60
				w.after(seconds * time.Second)
				opened, _ := w.us.Opened()
				if opened > seconds {
					w.Errorf("the gate opened %d times in %d seconds", opened, seconds)
				}
				if n, want := done(a, b), int(2*seconds*time.Second/takes); n < want*9/10 {
					w.Errorf("%d messages done, want nearly %d", n, want)
				}
			})
		})
	}
}

func TestUpstreamConsumersWin(t *testing.T) {
	inQueues(t, func(w *world) {
		g := w.gateway("eu", workFromUS)
		down := w.worker(w.eu, 10, time.Millisecond)
		up := w.worker(w.us, 10, time.Millisecond)
		w.within(10*time.Second, "open", func() bool { return g.is(fromUSLink, link.Idle) })
		for i := range 500 {
			put(w.us, i, 1)
			w.after(2 * time.Millisecond)
		}
		w.after(time.Second)
		if done(up) != 500 || done(down) != 0 {
			w.Errorf("%d done upstream, %d downstream", done(up), done(down))
		}
	})
}

func TestADepthThatIsNotKnownOpensNothing(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 100)
		w.eu.HideDepth(true)
		worker := w.worker(w.eu, 10, time.Millisecond)
		g := w.gateway("eu", workFromUS)
		w.after(20 * time.Second)
		if s := g.status(fromUSLink); done(worker) != 0 || s.Reason != "depth downstream is not known" {
			w.Errorf("%d done; status %+v", done(worker), s)
		}
		w.eu.HideDepth(false)
		w.within(5*time.Second, "all is done", func() bool { return done(worker) == 100 })
		w.eu.HideDepth(true)
		put(w.us, 100, 100)
		w.after(5 * time.Second)
		if n := done(worker); n == 100 || n == 200 {
			w.Errorf("%d done while the depth was not known, want one batch more than 100", n)
		}
		w.eu.HideDepth(false)
		w.within(5*time.Second, "all is done", func() bool { return done(worker) == 200 })
		w.allOnce(200, worker)
	})
}
