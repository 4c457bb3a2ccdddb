package link_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// clogged is a source that gives nothing while it is told so, whatever lies there.
type clogged struct {
	broker.Source
	clog *atomic.Bool
}

func (c clogged) Receive(ctx context.Context) (*broker.Message, error) {
	for c.clog.Load() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return c.Source.Receive(ctx)
}

// clogs gives the link such a source, clogged at first. Its consumer takes nothing from the queue in memory either.
func (r *rig) clogs() *atomic.Bool {
	var clog atomic.Bool
	clog.Store(true)
	r.source.wrap = func(s broker.Source) broker.Source { return clogged{s, &clog} }
	r.spec.Window = 1 // what the memory driver delivers ahead is not ready any more
	return &clog
}

func TestLinkIsStuckWhereMessagesAreReadyAndNoneComes(t *testing.T) {
	play(t, func(r *rig) {
		clog := r.clogs()
		r.put(11)
		r.start()
		r.reaches(5*time.Second, link.Idle)
		r.put(5)
		s := r.reaches(time.Minute, link.Stuck)
		r.contains("the reason", s.Reason, "although 15 messages are ready at the source (15 then)")
		r.put(100)
		r.after(15 * time.Second)
		r.contains("the reason", r.link.Status().Reason, "although 115 messages are ready at the source (15 then)")
		if n := r.log.lines("state=stuck"); n != 1 {
			r.Errorf("logged %d times", n)
		}
		clog.Store(false)
		r.arrived(10*time.Second, 116)
		r.reaches(5*time.Second, link.Idle)
	})
}

// A source that can tell that no other consumer has its queue is stuck also where there are others.
func TestLinkIsStuckBesideOtherConsumers(t *testing.T) {
	play(t, func(r *rig) {
		r.clogs()
		inner := r.source.wrap
		r.stands()
		outer := r.source.wrap
		r.source.wrap = func(s broker.Source) broker.Source { return outer(inner(s)) }
		r.from.Consumers("in", 3)
		r.put(100)
		r.start()
		r.reaches(time.Minute, link.Stuck)
	})
}

// What moves, however slowly, is not stuck; nor is a link without anything to do, or whose broker does not tell.
func TestLinkIsNotStuck(t *testing.T) {
	for name, prepare := range map[string]func(r *rig){
		"it has nothing to do": func(*rig) {},
		"another consumer empties the queue": func(r *rig) {
			r.clogs()
			r.put(1001)
			go func() {
				for range 1000 {
					time.Sleep(time.Second)
					r.from.Take("in", 1)
				}
			}()
		},
		"it stands by": func(r *rig) {
			r.clogs()
			inner := r.source.wrap
			_, set := r.stands()
			outer := r.source.wrap
			r.source.wrap = func(s broker.Source) broker.Source { return outer(inner(s)) }
			set(true, nil)
			r.put(100)
		},
		"another consumer may have the queue for itself": func(r *rig) {
			r.clogs()
			r.from.Consumers("in", 1)
			r.put(100)
		},
		"it leaves messages to other consumers": func(r *rig) {
			r.clogs()
			r.spec.Source.Options.ConsumerArgs = broker.Table{"x-priority": int64(-1)}
			r.put(100)
		},
		"the depth is not known": func(r *rig) {
			r.clogs()
			r.from.HideDepth(true)
			r.put(100)
		},
		"the rate limit lets one message through in a minute": func(r *rig) {
			r.spec.RateLimit = 1. / 60
			r.put(100)
		},
		"the destination takes its time": func(r *rig) {
			r.spec.ConfirmTimeout = time.Hour
			r.to.Latency(50 * time.Second)
			r.spec.Window = 1
			r.put(100)
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(r *rig) {
				prepare(r)
				r.start()
				r.during(10*time.Minute, "it is not stuck", func() bool { return r.state() != link.Stuck })
				r.stop()
				time.Sleep(1000 * time.Second) // for the other consumer to end
			})
		})
	}
}

func TestDepthOfTheSourceIsShown(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Paused = true
		r.put(7)
		r.start()
		r.until(5*time.Second, "it is known while the link is paused", func() bool {
			d := r.link.Status().Depth
			return d != nil && d.Ready != nil && *d.Ready == 7
		})
		r.put(2)
		r.until(15*time.Second, "it is read again", func() bool { return *r.link.Status().Depth.Ready == 9 })
		r.from.Down(errAway)
		r.until(15*time.Second, "it is not known any more", func() bool { return r.link.Status().Depth == nil })
		r.from.Up()
		r.until(5*time.Minute, "it is known again", func() bool { return r.link.Status().Depth != nil })
	})
}

// A reading that somebody else takes is shown, and saves one.
func TestDepthIsNotReadTwice(t *testing.T) {
	play(t, func(r *rig) {
		var asked atomic.Int64
		r.spec.Depth = func() broker.Depth {
			asked.Add(1)
			return broker.Depth{Ready: broker.Counted(1000), At: time.Now()}
		}
		r.start()
		r.until(5*time.Second, "it is shown", func() bool {
			d := r.link.Status().Depth
			return d != nil && *d.Ready == 1000
		})
		r.after(10 * time.Minute)
		if n := asked.Load(); n < 50 || n > 70 {
			r.Errorf("asked %d times in 10 minutes", n)
		}
		r.spec.Depth = nil
	})
}

// All links from one broker share the readings that it can bear.
func TestDepthsAreReadAtABoundedRate(t *testing.T) {
	crew(t, func(f *fleet) {
		count := &depths{Broker: f.from}
		var specs []link.Spec
		for i := range 300 {
			s := f.spec
			s.Name, s.Source.Broker, s.Version = number(i), count, "1"
			specs = append(specs, s)
		}
		f.group.Apply(specs)
		f.after(time.Minute)
		count.n.Store(0)
		f.after(time.Minute)
		if n := count.n.Load(); n < 250 || n > 610 { // half of them are questions whether a source stands by
			f.Errorf("%d readings in a minute", n)
		}
	})
}

type depths struct {
	broker.Broker
	n atomic.Int64
}

func (d *depths) Depth(ctx context.Context, at broker.Address) (broker.Depth, error) {
	d.n.Add(1)
	return d.Broker.Depth(ctx, at)
}
