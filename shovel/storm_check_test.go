package shovel_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/broker"
	"weir/link"
)

// calm ends whatever is wrong, and waits until everything has been consumed and every gate is shut.
func (s *storm) calm() {
	for _, r := range s.regions {
		r.Up()
		r.Unblock()
		r.HideDepth(false)
		r.ReleaseConfirms()
		r.Latency(time.Millisecond)
		r.Consumers("work", 1)
		s.refuse(r, nil, nil)
		r.served, r.pace = true, 5
		for _, g := range r.gateways {
			g.model.override(g.link(), link.Auto)
		}
	}
	for began := time.Now(); ; s.after(100 * time.Millisecond) {
		left := 0
		for _, r := range s.regions {
			s.work(r, 0)
			d, _ := r.Depth(context.Background(), broker.Address{Queue: "work"})
			left += int(d.Ready.N + d.Unacked.N)
			for _, g := range r.gateways {
				g.resume()
			}
		}
		if left == 0 {
			break
		}
		if time.Since(began) > time.Hour {
			for _, r := range s.regions {
				for _, g := range r.gateways {
					s.Logf("%+v\n%+v", g.link().Status(), g.plan)
				}
			}
			s.Fatalf("%d messages are left", left)
		}
	}
	s.after(time.Minute)
	for _, r := range s.regions {
		for _, g := range r.gateways {
			if status := g.link().Status(); status.State != link.Shut && status.State != link.Standby {
				s.Errorf("%s is %s (%s) after the storm", r.name, status.State, status.Reason)
			}
		}
	}
}

// gentle deeds: those of operators, applications, and brokers that are healthy or cannot be reached anew.
func (s *storm) gentle() []func(r *storming) {
	each := func(do func(g *stormGateway)) func(r *storming) {
		return func(r *storming) { do(r.gateways[s.IntN(len(r.gateways))]) }
	}
	hand := func(mode link.Mode) func(r *storming) {
		return each(func(g *stormGateway) { g.model.override(g.link(), mode) })
	}
	resume := each((*stormGateway).resume)
	return []func(r *storming){
		func(r *storming) { r.pace = s.IntN(40) },
		func(r *storming) { r.pace = s.IntN(40) },
		func(r *storming) { s.work(r, s.IntN(300)) },
		func(r *storming) { r.served = false; r.Consumers("work", 0) },
		func(r *storming) { r.served = true; r.Consumers("work", 1) },
		func(r *storming) { r.served = true; r.Consumers("work", 1) },
		func(r *storming) { r.Latency(time.Duration(s.IntN(100)) * time.Millisecond) },
		func(r *storming) { r.Block("low on memory") },
		func(r *storming) { r.Unblock() },
		func(r *storming) { r.Unblock() },
		func(r *storming) { r.HideDepth(true) },
		func(r *storming) { r.HideDepth(false) },
		func(r *storming) { r.HideDepth(false) },
		func(r *storming) { r.Down(errRefused) },
		func(r *storming) { r.Silent() },
		func(r *storming) { r.Up() },
		func(r *storming) { r.Up() },
		func(r *storming) { r.Up() },
		hand(link.On), hand(link.Off), hand(link.Auto), hand(link.Auto), hand(link.Auto),
		each(func(g *stormGateway) {
			g.model.interrupted()
			g.link().Pause("by hand")
		}),
		resume, resume,
		func(r *storming) {
			s.change(r)
			for _, g := range r.gateways {
				s.load(g)
			}
		},
		each(func(g *stormGateway) { s.replace(g, g.stop) }),
		func(r *storming) {
			var bad []string
			for range s.IntN(5) {
				from := s.regions[s.IntN(len(s.regions))]
				bad = append(bad, fmt.Sprintf("%s-%05d", from.name, s.IntN(from.put+1)))
			}
			s.refuse(r, bad, []error{broker.ErrRefused, broker.ErrUnroutable}[s.IntN(2)])
		},
		func(r *storming) { s.refuse(r, nil, nil) },
		func(*storming) {},
	}
}

// rough deeds: connections and brokers that fail, and a gateway that is killed.
func (s *storm) rough() []func(r *storming) {
	cut := func(r *storming) {
		r.Cut()
		for _, g := range r.gateways {
			if g.plan.single {
				g.model.interrupted()
			}
		}
	}
	return []func(r *storming){
		cut, cut,
		func(r *storming) { r.Down(errRefused); cut(r) },
		func(r *storming) { r.Silent(); cut(r) },
		func(r *storming) { r.Up() },
		func(r *storming) { r.HoldConfirms() },
		func(r *storming) { r.ReleaseConfirms() },
		func(r *storming) { r.ReleaseConfirms() },
		func(r *storming) {
			g := r.gateways[s.IntN(len(r.gateways))]
			s.replace(g, func() {
				for _, side := range g.sides {
					side.kill()
				}
				g.stop()
			})
		},
	}
}

// bodies are those of all messages that were published, sorted.
func (s *storm) bodies() []string {
	var all []string
	for _, r := range s.regions {
		for n := range r.put {
			all = append(all, fmt.Sprintf("%s-%05d", r.name, n))
		}
	}
	slices.Sort(all)
	return all
}

// consumed are the bodies of what was, sorted.
func (s *storm) consumed() []string {
	var all []string
	for _, r := range s.regions {
		for _, m := range r.consumed {
			all = append(all, string(m.Body))
		}
	}
	slices.Sort(all)
	return all
}

// wantPaths fails unless every message has gone where it may go.
func (s *storm) wantPaths() {
	moved := 0
	for _, r := range s.regions {
		moved += len(r.arrived)
		for _, m := range r.arrived {
			from, _, _ := strings.Cut(string(m.Body), "-")
			if from == r.name || link.Visited(m.Headers, broker.Identity{Cluster: r.name, VHost: "/"}) {
				s.Errorf("%s has come to %s again", m.Body, r.name)
			}
			if hops := hopsOf(m); hops >= len(s.regions) {
				s.Errorf("%s has crossed %d links", m.Body, hops)
			}
		}
	}
	s.Logf("%d published, %d moved", len(s.bodies()), moved)
}

// wantOrder fails unless those that came straight from where they were published, and were never refused, came in order.
func (s *storm) wantOrder() {
	for _, r := range s.regions {
		last, seen := map[string]string{}, map[string]bool{}
		for i, m := range r.arrived {
			body := string(m.Body)
			from, _, _ := strings.Cut(body, "-")
			if hopsOf(m) > 1 || s.touched[body] || seen[body] {
				continue
			}
			seen[body] = true
			if body < last[from] {
				s.Errorf("%s came to %s after %s, at %v", body, r.name, last[from], r.times[i].Format(time.StampMilli))
				return
			}
			last[from] = body
		}
	}
}
