package federation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
)

// storm is what happens to federated sites for a while, drawn by a seed, so that a failure can be repeated.
type storm struct {
	*world
	*rand.Rand
	shape
	sites     map[string]*site
	names     []string // of the sites
	published int
	owed      []debt
	unsure    time.Time // when something happened after which what was mirrored may have gone
	gone      map[string]time.Time
	story     []string // what has happened, for who must find out why
}

// shape says who pulls from whom.
type shape struct {
	maxHops int
	pulls   map[string][]string
}

var shapes = map[string]shape{
	"one way":  {1, map[string][]string{"eu": {"us"}}},
	"two ways": {1, map[string][]string{"eu": {"us"}, "us": {"eu"}}},
	"mesh":     {1, map[string][]string{"eu": {"us", "ap"}, "us": {"ap", "eu"}, "ap": {"eu", "us"}}},
	"chain":    {2, map[string][]string{"eu": {"us"}, "us": {"ap"}}},
	"ring":     {2, map[string][]string{"eu": {"us"}, "us": {"ap"}, "ap": {"eu"}}},
}

// site is a region with its gateways.
type site struct {
	*memory.Broker
	name     string
	pulls    []string
	gateways []*post
	policy   policy
	bindings []*bound
	queues   int // declared so far
}

// post is where one gateway of a site runs, or does not.
type post struct {
	roads map[string]*road
	*gateway
}

// policy is what a site's operator has configured.
type policy struct {
	off      bool
	ttl      int // hours; buffers of other arguments are other buffers
	prefetch int
}

// bound is a binding that an application has made.
type bound struct {
	queue, exchange, key string
	lasting              bool
	gone                 bool
	known                map[string]bool // sites where it is known: what is published there must come
}

// debt is a message that must arrive.
type debt struct {
	body, site string
	by         *bound
	path       []string // from where it was published to the site
	off        bool     // it need not, after all
}

// The exchanges that are federated. The second one comes and goes.
var stormExchanges = []string{"catalog", "catalog.prices"}

// brewExchanges has a storm blow over exchanges of each shape.
func brewExchanges(t *testing.T, seeds []uint64, test func(s *storm)) {
	for _, seed := range seeds {
		draw := rand.New(rand.NewPCG(seed, 0))
		name := []string{"one way", "two ways", "mesh", "chain", "ring"}[draw.IntN(5)]
		t.Run(fmt.Sprintf("%d %s", seed, name), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				s := &storm{world: w, Rand: draw, shape: shapes[name], sites: map[string]*site{}, gone: map[string]time.Time{}}
				w.Cleanup(func() {
					if t.Failed() {
						t.Log("what happened:\n" + strings.Join(s.story, "\n"))
					}
				})
				s.settle()
				test(s)
			})
		})
	}
}

// settle founds the sites.
func (s *storm) settle() {
	brokers := map[string]*memory.Broker{"eu": s.eu, "us": s.us, "ap": s.ap}
	for _, name := range []string{"eu", "us", "ap"} {
		at := &site{Broker: brokers[name], name: name, pulls: s.pulls[name]}
		at.DeclareExchange(stormExchanges[1], memory.Topic)
		s.sites[name] = at
		s.names = append(s.names, name)
		for range 3 {
			s.declare(at)
		}
		for _, b := range at.bindings {
			b.lasting = b.exchange == stormExchanges[0]
		}
		if at.pulls == nil {
			continue
		}
		for range 1 + s.IntN(2) {
			p := &post{roads: map[string]*road{}}
			for to, b := range brokers {
				p.roads[to] = &road{Broker: b, t: s.T}
			}
			at.gateways = append(at.gateways, p)
			s.startGateway(at, p)
		}
	}
}

func (s *storm) say(format string, args ...any) {
	s.story = append(s.story, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// one of them.
func one[T any](s *storm, all []T) T { return all[s.IntN(len(all))] }

func (s *storm) anySite() *site { return s.sites[one(s, s.names)] }

// anyPost is where some gateway may run.
func (s *storm) anyPost() (*site, *post) {
	for {
		if at := s.anySite(); len(at.gateways) > 0 {
			return at, one(s, at.gateways)
		}
	}
}

// anyRoad is one that is in use.
func (s *storm) anyRoad() (*road, string) {
	at, p := s.anyPost()
	to := one(s, append([]string{at.name}, at.pulls...))
	return p.roads[to], fmt.Sprintf("from gateway %d of %s to %s", slices.Index(at.gateways, p), at.name, to)
}

func (s *storm) eachRoad(do func(to string, r *road)) {
	for _, name := range s.names {
		for _, p := range s.sites[name].gateways {
			for _, to := range s.names {
				do(to, p.roads[to])
			}
		}
	}
}

// text is a site's configuration.
func (at *site) text(maxHops int) string {
	if at.policy.off {
		return ""
	}
	text := "upstreams:\n"
	for _, u := range at.pulls {
		text += fmt.Sprintf("\t%s: {broker: %s, max-hops: %d, reconnect-delay: {min: 100ms, max: 5s}", u, u, maxHops)
		if at.policy.ttl > 0 {
			text += fmt.Sprintf(", message-ttl: %dh", at.policy.ttl)
		}
		if at.policy.prefetch > 0 {
			text += fmt.Sprintf(", prefetch-count: %d", at.policy.prefetch)
		}
		text += "}\n"
	}
	return text + "policies:\n\tcatalog: {pattern: \"^catalog\", apply-to: exchanges, definition: {federation-upstream-set: all}}\n"
}

func (s *storm) startGateway(at *site, p *post) {
	roads := map[string]broker.Broker{}
	for name, r := range p.roads {
		roads[name] = r
	}
	p.gateway = s.gatewayOver(at.name, roads, at.text(s.maxHops))
}

// blow lets things happen, then nothing, until all is as it should be.
func (s *storm) blow(deeds []func()) {
	for range 150 {
		deeds[s.IntN(len(deeds))]()
		s.publishSome()
		s.after(time.Duration(s.IntN(3000)) * time.Millisecond)
		s.learn()
	}
	s.calm()
	s.until("still owed", func() string { return strings.Join(s.unpaid(), "\n") })
	s.until("amiss", s.amiss)
	s.Logf("%d published, %d owed", s.published, s.due())
}

// until waits until nothing is wrong.
func (s *storm) until(what string, wrong func() string) {
	for range 360 {
		if wrong() == "" {
			return
		}
		s.after(5 * time.Second)
	}
	s.Fatalf("%s after half an hour:\n%s", what, wrong())
}

// calm ends whatever is wrong.
func (s *storm) calm() {
	s.say("calm")
	s.eachRoad(func(_ string, r *road) {
		r.open()
		r.delay(time.Millisecond)
	})
	for _, name := range s.names {
		at := s.sites[name]
		at.Unblock()
		at.ReleaseConfirms()
		at.Latency(time.Millisecond)
		at.LoseHints(false)
		at.DeclareExchange(stormExchanges[1], memory.Topic)
		at.policy.off = false
		for _, p := range at.gateways {
			if p.gateway == nil {
				s.startGateway(at, p)
			}
			p.apply(at.text(s.maxHops))
			for _, status := range p.Statuses() {
				l, _ := p.Link(status.Name)
				l.Resume()
			}
		}
	}
}

// Without a fault everything that is owed arrives, exactly once.
func TestGentleStorm(t *testing.T) {
	brewExchanges(t, seeds(12), func(s *storm) {
		s.blow(s.gentle())
		s.arrivedOnce(true)
	})
}

// With faults everything that is owed arrives.
func TestRoughStorm(t *testing.T) {
	brewExchanges(t, seeds(24), func(s *storm) {
		s.blow(append(s.gentle(), s.rough()...))
		s.arrivedOnce(false)
	})
}
