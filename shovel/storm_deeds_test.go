package shovel_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/broker"
	"weir/configs"
	"weir/link"
	"weir/shovel"
)

// change draws other thresholds and another order of destinations.
func (s *storm) change(r *storming) {
	p := &r.plan
	p.start = int64(60 + s.IntN(200))
	p.stop = int64(s.IntN(int(p.start) * 3 / 4))
	p.oldest = []time.Duration{0, 8 * time.Second, 20 * time.Second}[s.IntN(3)]
	p.consumers, p.all = s.IntN(3) == 0, s.IntN(3) == 0
	s.Shuffle(len(p.to), func(i, j int) {
		p.to[i], p.to[j] = p.to[j], p.to[i]
		p.room[i], p.room[j] = p.room[j], p.room[i]
	})
}

// load has a gateway read its configuration.
func (s *storm) load(g *stormGateway) {
	text := strings.Replace(topology, "site: eu\nlocal: eu", "site: "+g.name+"\nlocal: "+g.name, 1) + g.plan.yaml(g.name)
	cfg, _, err := configs.Parse("weir.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		s.Fatalf("configuration: %v\n%s", err, text)
	}
	sides := map[string]*side{}
	for _, r := range s.regions {
		sides[r.name] = &side{Broker: r.Broker}
	}
	sides[g.name].queue = "work"
	specs, err := shovel.Links(cfg, func(name string) (broker.Broker, string) { return sides[name], name }, s.logger(g.storming))
	if err != nil {
		s.Fatal(err)
	}
	if changes := g.group.Apply(specs); len(changes.Kept) > 0 {
		return
	}
	g.sides = sides
	p := g.plan
	p.to, p.room = slices.Clone(p.to), slices.Clone(p.room)
	g.model = &model{plan: p, side: sides[g.name], mode: link.Auto}
	g.model.drains()
}

func (g *stormGateway) resume() {
	if g.link().Status().State == link.Paused {
		g.model.interrupted()
	}
	g.link().Resume()
}

func (g *stormGateway) link() *link.Link {
	l, _ := g.group.Link("overflow")
	return l
}

// refuse notes what arrives through links, and has some of that refused.
func (s *storm) refuse(r *storming, bad []string, answer error) {
	for _, body := range bad {
		s.touched[body] = true
	}
	r.Refuse(func(m *broker.Message) error {
		if hopsOf(m) == 0 {
			return nil
		}
		if slices.Contains(bad, string(m.Body)) {
			return answer
		}
		r.arrived = append(r.arrived, m)
		r.times = append(r.times, time.Now())
		return nil
	})
}

// work is what the applications of a region do in a step.
func (s *storm) work(r *storming, n int) {
	for range n {
		r.Put("work", fmt.Sprintf("%s-%05d", r.name, r.put))
		r.put++
	}
	if r.served {
		r.consumed = append(r.consumed, r.Take("work", r.pace)...)
	}
}

// blow lets things happen, one at a time, and looks at every gateway after each.
func (s *storm) blow(deeds []func(*storming)) {
	for range 250 {
		for _, r := range s.regions {
			s.work(r, max(0, s.IntN(40)-10))
		}
		deeds[s.IntN(len(deeds))](s.regions[s.IntN(len(s.regions))])
		s.after(time.Duration(50+s.IntN(700)) * time.Millisecond)
	}
}

// replace ends a gateway somehow and starts another one.
func (s *storm) replace(g *stormGateway, end func()) {
	for _, other := range g.storming.gateways {
		other.model.disturb() // it may be its turn now
	}
	end()
	if !g.plan.single {
		g.group.Wait() // two at work would compete
	}
	at := slices.Index(g.storming.gateways, g)
	g.storming.retired = append(g.storming.retired, g)
	g.storming.gateways[at] = s.gateway(g.storming)
}
