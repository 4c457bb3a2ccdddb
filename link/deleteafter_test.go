package link_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"weir/broker/memory"
	"weir/link"
)

// finished waits until the link has ended by itself.
func (r *rig) finished(limit time.Duration) {
	r.Helper()
	r.reaches(limit, link.Finished)
	r.stop()
	if n := r.unacked(); n > 0 {
		r.Errorf("%d unacked after the end", n)
	}
}

func TestDeleteAfterSoManyMessages(t *testing.T) {
	for _, n := range []int{1, 10, 63, 64, 65, 500} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			play(t, func(r *rig) {
				r.spec.DeleteAfter = int64(n)
				r.to.Latency(5 * time.Millisecond)
				r.put(1000)
				r.start()
				r.finished(time.Minute)
				r.exactly(n)
				r.same("left at the source", r.from.Bodies("in"), numbers(1000)[n:])
				// What was taken beyond is given back; that may not be more than is worth it.
				var returned int
				for _, m := range r.from.Messages("in") {
					returned += m.Origin.Returns
				}
				if returned > n {
					r.Errorf("%d were taken and given back for %d", returned, n)
				}
			})
		})
	}
}

func TestDeleteAfterQueueLength(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.DeleteAfter = link.QueueLength
		r.to.Latency(5 * time.Millisecond)
		r.put(200)
		r.start()
		r.arrived(5*time.Second, 50)
		r.put(100) // came later
		r.finished(time.Minute)
		r.exactly(200)
		r.same("left at the source", r.from.Bodies("in"), numbers(300)[200:])
	})
}

func TestDeleteAfterQueueLengthOfAnEmptyQueue(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.DeleteAfter = link.QueueLength
		r.start()
		r.finished(5 * time.Second)
	})
}

// A queue that is missing is declared like that of any other link, and is empty; one that is predeclared is waited for.
func TestDeleteAfterQueueLengthOfAMissingQueue(t *testing.T) {
	for _, predeclared := range []bool{false, true} {
		t.Run(fmt.Sprint("predeclared ", predeclared), func(t *testing.T) {
			play(t, func(r *rig) {
				r.spec.DeleteAfter = link.QueueLength
				r.spec.Source.Options.Predeclared = predeclared
				r.from.Delete("in")
				r.start()
				if predeclared {
					s := r.reaches(time.Second, link.Retrying)
					r.contains("the reason", s.Reason, "not found")
					r.from.Declare("in", memory.Queue{})
				}
				r.finished(time.Minute)
			})
		})
	}
}

// A length that is not known yet is no length.
func TestDeleteAfterQueueLengthWaitsUntilItIsKnown(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.DeleteAfter = link.QueueLength
		r.put(10)
		r.from.HideDepth(true)
		r.start()
		s := r.reaches(time.Second, link.Retrying)
		r.contains("the reason", s.Reason, "length of eu queue=in is not known yet")
		r.during(time.Minute, "nothing is taken", func() bool { return len(r.from.Bodies("in")) == 10 })
		r.from.HideDepth(false)
		r.finished(10 * time.Second)
		r.exactly(10)
	})
}

// What was confirmed but not acked when the source was lost comes again, and must be taken again.
func TestDeleteAfterCountsWhatHasLeftTheSource(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.DeleteAfter = link.QueueLength
		r.to.Latency(10 * time.Millisecond)
		r.spec.Window = 20
		r.put(200)
		r.start()
		for i := range 5 {
			r.arrived(5*time.Second, 30*(i+1))
			if i%2 == 0 {
				r.from.Cut()
			} else {
				r.to.Cut()
			}
		}
		r.finished(time.Minute)
		r.complete(200, 100)
		r.same("left at the source", r.from.Bodies("in"), nil)
	})
}

func TestDeleteAfterCountsDroppedAndWaitsForRefused(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.DeleteAfter = 10
		r.spec.OnRefused = link.Recourse{Attempts: 3, Then: link.Drop}
		r.refuses(refusals["refused"], 2, 9)
		r.put(20)
		r.start()
		r.finished(time.Minute)
		r.same("what arrived", r.out(), slices.DeleteFunc(numbers(10), func(b string) bool { return b == number(2) || b == number(9) }))
		r.same("left at the source", r.from.Bodies("in"), numbers(20)[10:])
	})
}

func TestDeleteAfterWaitsForStranded(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.DeleteAfter = 10
		d := r.strands(2)
		r.put(20)
		r.start()
		s := r.reaches(5*time.Second, link.Holding)
		if s.Held != 1 {
			r.Errorf("%d held", s.Held)
		}
		r.during(time.Minute, "it waits", func() bool { return r.state() == link.Holding && len(r.out()) == 9 })
		d.rule()
		r.finished(10 * time.Second)
		if n := len(r.out()); n != 10 {
			r.Errorf("%d have arrived", n)
		}
	})
}

func TestStopWhileDeleteAfterWaitsForStranded(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.DeleteAfter = 10
		r.strands(2)
		r.put(10)
		r.start()
		r.reaches(5*time.Second, link.Holding)
		began := time.Now()
		r.stop()
		if took := time.Since(began); took > 0 {
			r.Errorf("the stop took %v", took)
		}
		r.same("back at the source", r.from.Bodies("in"), []string{number(2)})
		if r.state() != link.Stopped {
			r.Errorf("state %s", r.state())
		}
	})
}

func TestDeleteAfterAcrossPauses(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.DeleteAfter = 100
		r.to.Latency(10 * time.Millisecond)
		r.spec.Window = 10
		r.put(200)
		r.start()
		r.arrived(5*time.Second, 40)
		r.link.Pause("x")
		r.reaches(5*time.Second, link.Paused)
		r.link.Resume()
		r.finished(10 * time.Second)
		r.exactly(100)
	})
}
