package link_test

import (
	"testing"
	"time"

	"weir/link"
)

// An unroutable message that then has nowhere to go at all is stranded, and not taken for unroutable.
func TestRefusedMessageMayBecomeStranded(t *testing.T) {
	play(t, func(r *rig) {
		d := &nowhere{Destination: r.spec.Destination}
		r.spec.Destination = d
		r.spec.OnUnroutable = link.Recourse{Attempts: 3, Then: link.Drop}
		lift := r.refuses(refusals["unroutable"], 5)
		r.put(20)
		r.start()
		r.reaches(5*time.Second, link.Retrying)
		d.rule(number(5))
		lift()
		r.until(10*time.Second, "the others have arrived", func() bool { return len(r.out()) == 19 })
		r.during(time.Minute, "it is held", func() bool { return r.unacked() <= 1 && len(r.out()) == 19 })
		s := r.reaches(5*time.Second, link.Holding)
		if s.Held != 1 || s.Counts.Dropped > 0 {
			r.Errorf("held %d, %+v", s.Held, s.Counts)
		}
		d.rule()
		r.arrived(10*time.Second, 20)
		r.empty()
	})
}

// The ack of a message that was retried does not settle an older one that has nowhere to go.
func TestRetriedMessageOvertakesAStrandedOne(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(10 * time.Millisecond)
		r.strands(3)
		lift := r.refuses(refusals["refused"], 5)
		r.put(10)
		r.start()
		r.reaches(5*time.Second, link.Retrying)
		lift()
		r.arrived(5*time.Second, 9)
		r.after(time.Second)
		if n := r.unacked(); n != 1 {
			r.Errorf("%d unacked, want the stranded one", n)
		}
		r.stop()
		r.same("back at the source", r.from.Bodies("in"), []string{number(3)})
	})
}
