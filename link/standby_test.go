package link_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// standing is a source whose answer is the test's.
type standing struct {
	broker.Source
	answer func() (bool, error)
	asked  times
}

func (s *standing) Standby(context.Context) (bool, error) {
	s.asked.note()
	return s.answer()
}

// stands gives the link such a source; set changes its answer.
func (r *rig) stands() (source *standing, set func(standby bool, err error)) {
	var (
		mu      sync.Mutex
		standby bool
		err     error
	)
	source = &standing{answer: func() (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		return standby, err
	}}
	r.source.wrap = func(s broker.Source) broker.Source {
		source.Source = s
		return source
	}
	return source, func(is bool, fault error) {
		mu.Lock()
		defer mu.Unlock()
		standby, err = is, fault
	}
}

func TestLinkWhoseQueueAnotherConsumerHasStandsBy(t *testing.T) {
	play(t, func(r *rig) {
		_, set := r.stands()
		set(true, nil)
		r.start()
		s := r.reaches(10*time.Second, link.Standby)
		r.contains("the reason", s.Reason, "another gateway consumes eu queue=in, or a connection that was lost")
		if s.LastError != "" || s.Attempt != 0 {
			r.Errorf("it counts as a fault: %+v", s)
		}
		r.during(10*time.Minute, "it stands by", func() bool { return r.state() == link.Standby })
		set(false, nil)
		r.reaches(time.Minute, link.Idle)
		set(true, nil)
		r.reaches(time.Minute, link.Standby)
		// What arrives tells sooner than an answer.
		r.put(1)
		r.until(2*time.Second, "it stands by no longer", func() bool { return r.state() != link.Standby })
		r.arrived(time.Second, 1)
	})
}

func TestSourceIsAskedSeldomAndOnlyWhileNothingComes(t *testing.T) {
	play(t, func(r *rig) {
		source, _ := r.stands()
		r.start()
		for range 60 {
			r.put(1)
			r.after(4 * time.Second)
		}
		if n := len(source.asked.all()); n != 0 {
			r.Errorf("asked %d times while messages came", n)
		}
		r.after(10 * time.Minute)
		asked := source.asked.all()
		if n := len(asked); n < 20 || n > 25 {
			r.Errorf("asked %d times in 10 minutes of silence", n)
		}
		for i := range asked[1:] {
			if d := asked[i+1].Sub(asked[i]); d < 5*time.Second {
				r.Errorf("asked again after %v", d)
			}
		}
	})
}

func TestSourceThatCannotTellIsNotAskedAgain(t *testing.T) {
	play(t, func(r *rig) {
		source, set := r.stands()
		set(true, broker.ErrUnsupported)
		r.start()
		r.after(10 * time.Minute)
		if n := len(source.asked.all()); n != 1 || r.state() != link.Idle {
			r.Errorf("asked %d times, state %s", n, r.state())
		}
	})
}

// An answer that does not come leaves what was known.
func TestFaultOfAStandbyAnswerChangesNothing(t *testing.T) {
	play(t, func(r *rig) {
		_, set := r.stands()
		set(true, nil)
		r.start()
		r.reaches(10*time.Second, link.Standby)
		set(false, errors.New("management is away"))
		r.during(5*time.Minute, "it stands by", func() bool { return r.state() == link.Standby })
		set(false, nil)
		r.reaches(time.Minute, link.Idle)
	})
}
