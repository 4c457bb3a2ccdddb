package federation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// What was forwarded and confirmed is acked at the upstream late. A stop must not bring it again.
func TestAStopBringsNothingTwice(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 1000)
		worker := w.worker(w.eu, 10, 500*time.Microsecond)
		for range 20 {
			g := w.gateway("eu", workFromUS)
			w.after(50 * time.Millisecond)
			g.stop()
		}
		w.gateway("eu", workFromUS)
		w.within(time.Minute, "all is done", func() bool { return done(worker) >= 1000 })
		w.after(time.Second)
		w.allOnce(1000, worker)
	})
}

func TestLostSessionsLoseNothing(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 2000)
		worker := w.worker(w.eu, 10, time.Millisecond)
		g := w.gateway("eu", workFromUS)
		for i := range 20 {
			w.after(170 * time.Millisecond)
			if i%2 == 0 {
				w.us.Cut()
			} else {
				w.eu.Cut()
			}
		}
		w.within(time.Minute, "all is done", func() bool { return done(worker) >= 2000 && len(w.us.Bodies("work")) == 0 })
		w.after(time.Second)
		worker.stop()
		seen := map[string]bool{}
		for _, m := range worker.did {
			seen[string(m.Body)] = true
		}
		if twice := len(worker.did) - len(seen); len(seen) != 2000 || twice > 20*200 {
			w.Errorf("%d of 2000 done, %d of them twice", len(seen), twice)
		}
		if s := g.status(fromUSLink); s.Counts.Reconnects == 0 {
			w.Errorf("no session was lost: %+v", s)
		}
	})
}

func TestAnUnreachableDownstreamIsRetriedAndNotCalledShut(t *testing.T) {
	inQueues(t, func(w *world) {
		g := w.gateway("eu", workFromUS)
		w.within(5*time.Second, "shut", func() bool { return g.is(fromUSLink, link.Shut) })
		w.eu.Down(fmt.Errorf("no route to host"))
		w.within(10*time.Second, "retrying", func() bool {
			return g.is(fromUSLink, link.Retrying) && strings.Contains(g.status(fromUSLink).LastError, "no route to host")
		})
		w.eu.Up()
		worker := w.worker(w.eu, 10, time.Millisecond)
		put(w.us, 0, 100)
		w.within(time.Minute, "all is done", func() bool { return done(worker) == 100 })
	})
}

func TestAMissingUpstreamQueueIsDeclaredBeforeAnybodyConsumes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.Declare("work", memory.Queue{})
		w.gateway("eu", strings.ReplaceAll(workFromUS, "{broker: us}", "{broker: us, queue: there}"))
		w.within(10*time.Second, "declared", func() bool { return slices.Contains(w.us.QueueNames(), "there") })
	})
}

func TestAnUpstreamThatDeniesIsToldBeforeAnybodyConsumes(t *testing.T) {
	inQueues(t, func(w *world) {
		w.us.Deny("work")
		g := w.gateway("eu", workFromUS)
		w.within(10*time.Second, "denied", func() bool { return g.is(fromUSLink, link.Denied) })
	})
}

// A message that its downstream refuses holds back newer ones, and pauses the link in the end.
func TestARefusedMessagePausesTheLink(t *testing.T) {
	inQueues(t, func(w *world) {
		w.eu.Refuse(func(m *broker.Message) error {
			if string(m.Body) == "000003" {
				return broker.ErrRefused
			}
			return nil
		})
		put(w.us, 0, 10)
		worker := w.worker(w.eu, 10, time.Millisecond)
		g := w.gateway("eu", workFromUS)
		w.within(10*time.Minute, "paused", func() bool { return g.is(fromUSLink, link.Paused) })
		w.eu.Refuse(nil)
		l, _ := g.Link(fromUSLink)
		l.Resume()
		w.within(time.Minute, "all is done", func() bool { return done(worker) == 10 })
		w.allOnce(10, worker)
	})
}
