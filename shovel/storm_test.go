package shovel_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

var (
	stormSeeds = flag.Int("storms", 12, "how many seeds of each storm to run")
	stormFrom  = flag.Uint64("storm-from", 0, "the first seed")
)

// storm is regions that overflow at each other while this and that happens to them, drawn by a seed, so that a failure can
// be repeated: go test ./shovel -run 'Storm/17' -storms 18 -count 20 (the jitter of back-offs is not drawn by it).
type storm struct {
	*testing.T
	*rand.Rand
	log     *record
	regions []*storming
	touched map[string]bool // refused at some time: these may come late
}

// storming is one region: a broker, its applications, and the gateways that let it overflow at others.
type storming struct {
	*memory.Broker
	name     string
	plan     plan
	put      int  // messages published
	pace     int  // messages consumed in a step
	served   bool // it has consumers
	consumed []*broker.Message
	arrived  []*broker.Message // through a link, in order
	times    []time.Time       // when
	gateways []*stormGateway
	retired  []*stormGateway
}

// stormGateway is one weir.
type stormGateway struct {
	*storming
	group *link.Group
	stop  context.CancelFunc
	sides map[string]*side
	model *model
}

// brewed runs a storm for each seed.
func brewed(t *testing.T, test func(s *storm)) {
	for seed := *stormFrom; seed < *stormFrom+uint64(*stormSeeds); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &storm{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), log: &record{}, touched: map[string]bool{}}
				defer func() {
					for _, r := range s.regions {
						for _, g := range slices.Concat(r.gateways, r.retired) {
							g.stop()
							g.group.Wait()
						}
					}
					if t.Failed() {
						text := s.log.String()
						t.Logf("log:\n%s", text[max(0, len(text)-6000):])
					}
				}()
				s.gather()
				test(s)
			})
		})
	}
}

// gather makes two or three regions with a gateway each, or two where they share an owner.
func (s *storm) gather() {
	names := []string{"eu", "us", "ap"}[:2+s.IntN(2)]
	single, hold := s.IntN(3) == 0, time.Duration(s.IntN(4))*time.Second
	for _, name := range names {
		r := &storming{Broker: memory.New(name), name: name, served: true, pace: s.IntN(20)}
		r.Declare("work", memory.Queue{})
		r.Consumers("work", 1)
		r.plan = plan{
			start: int64(60 + s.IntN(200)), hold: hold, single: single,
			maxHops: 1 + s.IntN(len(names)-1), rate: []int{0, 0, 0, 200}[s.IntN(4)],
		}
		for _, to := range names {
			if to != name {
				r.plan.to = append(r.plan.to, to)
				r.plan.room = append(r.plan.room, s.IntN(2) == 0)
			}
		}
		s.regions = append(s.regions, r)
	}
	for _, r := range s.regions {
		s.refuse(r, nil, nil)
		s.change(r)
		for range map[bool]int{false: 1, true: 2}[single] {
			r.gateways = append(r.gateways, s.gateway(r))
		}
	}
}

// gateway starts one.
func (s *storm) gateway(r *storming) *stormGateway {
	ctx, stop := context.WithCancel(context.Background())
	g := &stormGateway{storming: r, stop: stop, group: link.NewGroup(ctx, s.logger(r))}
	s.load(g)
	return g
}

func (s *storm) logger(r *storming) *slog.Logger {
	return slog.New(slog.NewTextHandler(s.log, nil)).With("region", r.name)
}

// after lets time pass, then judges every gateway.
func (s *storm) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
	for _, r := range s.regions {
		for _, g := range r.gateways {
			status := g.link().Status()
			for _, wrong := range g.model.judgeDecisions(status.Overflow) {
				s.Errorf("%s: %s\n%+v", r.name, wrong, g.model.plan)
			}
			if wrong := g.model.judgeStatus(status); wrong != "" {
				s.Errorf("%s says of itself that it is %s (%s), %+v: %s\n%+v", r.name, status.State, status.Reason, status.Overflow, wrong, g.model.plan)
			}
		}
	}
	if s.Failed() {
		s.FailNow()
	}
}

// Without a fault everything is consumed exactly once.
func TestGentleStorm(t *testing.T) {
	brewed(t, func(s *storm) {
		s.blow(s.gentle())
		s.calm()
		same(s.T, "consumed", s.consumed(), s.bodies())
		s.wantPaths()
		s.wantOrder()
	})
}

// With faults everything is consumed at least once, and on the only path there is in order.
func TestRoughStorm(t *testing.T) {
	brewed(t, func(s *storm) {
		s.blow(append(s.gentle(), s.rough()...))
		s.calm()
		same(s.T, "consumed, duplicates aside", slices.Compact(s.consumed()), s.bodies())
		s.wantPaths()
		if len(s.regions) == 2 { // with more, what was on its way to a lost one goes to the next
			s.wantOrder()
		}
	})
}
