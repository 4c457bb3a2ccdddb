package link_test

import (
	"context"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// whileDown is an answer of a broker that has a node down until back is closed.
type whileDown struct {
	error
	back <-chan struct{}
}

func (w whileDown) Unwrap() error { return w.error }

// Passing implements broker.Passing.
func (w whileDown) Passing(context.Context) string {
	select {
	case <-w.back:
		return ""
	default:
		return "queue orders cannot be reached: node rabbit@us3 is down"
	}
}

// A message is not given up, in whichever way, for what passes when a node is back; but for what is left then.
func TestAttemptsDoNotCountWhileANodeIsDown(t *testing.T) {
	for name, recourse := range map[string]link.Recourse{
		"pause":                {Attempts: 3},
		"drop":                 {Attempts: 3, Then: link.Drop},
		"reject the first":     {Attempts: 1, Then: link.Reject},
		"dead-letter, 3 times": {Attempts: 3, Then: link.DeadLetter},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(r *rig, answer error, set func(link.Recourse)) {
				recourse.DeadLetter = link.To{Name: "us", Broker: r.to, At: broker.Address{Queue: "dead"}}
				set(recourse)
				back := make(chan struct{})
				lift := r.refuses(whileDown{answer, back}, 0)
				r.put(3)
				r.start()
				r.during(10*time.Minute, "it is kept", func() bool {
					c := r.link.Status().Counts
					return c.Dropped+c.Rejected+c.DeadLettered == 0 && r.state() != link.Paused
				})
				s := r.link.Status()
				r.contains("the reason", s.Reason, "attempts do not count while queue orders cannot be reached: node rabbit@us3 is down")
				if c := s.Counts; c.Retries > 1000 {
					r.Errorf("tried again %d times", c.Retries)
				}
				close(back)
				if recourse.Then == link.Drop { // what the node's return does not mend
					r.until(time.Minute, "it is dropped", func() bool { return r.link.Status().Counts.Dropped == 1 })
					return
				}
				lift()
				r.arrived(time.Minute, 3)
			})
		})
	}
}
