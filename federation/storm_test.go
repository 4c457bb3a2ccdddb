package federation_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
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
	names     []string              // of the sites
	configure func(at *site) string // upstreams and policies
	story     []string              // what has happened, for who must find out why
	published int

	// of exchanges only
	owed   []debt
	unsure time.Time            // when something happened after which what was mirrored may have gone
	gone   map[string]time.Time // when the last binding of a site, an exchange and a key went
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
	lasting              bool // it never goes
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

// brew has a storm blow for each seed over sites of one of these shapes, on one processor: so a seed tells nearly the same story
// each time, and Go's race detector does not crash (1.26: it has one context for all timers of a bubble, also where two
// processors fire them at a time).
func brew(t *testing.T, seeds []uint64, names []string, test func(s *storm)) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, seed := range seeds {
		draw := rand.New(rand.NewPCG(seed, 0))
		name := one(draw, names)
		t.Run(fmt.Sprintf("%d %s", seed, name), func(t *testing.T) {
			inWorld(t, func(w *world) {
				s := &storm{world: w, Rand: draw, shape: shapes[name], sites: map[string]*site{}}
				w.Cleanup(func() {
					if t.Failed() {
						t.Log("what happened:\n" + strings.Join(s.story, "\n"))
					}
				})
				test(s)
			})
		})
	}
}

// settle founds the sites.
func (s *storm) settle(prepare func(at *site), configure func(at *site) string) {
	s.configure = configure
	brokers := map[string]*memory.Broker{"eu": s.eu, "us": s.us, "ap": s.ap}
	for _, name := range []string{"eu", "us", "ap"} {
		at := &site{Broker: brokers[name], name: name, pulls: s.pulls[name]}
		prepare(at)
		s.sites[name] = at
		s.names = append(s.names, name)
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
func one[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

func (s *storm) anySite() *site { return s.sites[one(s.Rand, s.names)] }

// anyPost is where some gateway may run.
func (s *storm) anyPost() (*site, *post) {
	for {
		if at := s.anySite(); len(at.gateways) > 0 {
			return at, one(s.Rand, at.gateways)
		}
	}
}

// anyRoad is one that is in use.
func (s *storm) anyRoad() (*road, string) {
	at, p := s.anyPost()
	to := one(s.Rand, append([]string{at.name}, at.pulls...))
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

// upstreams are those of a site's configuration.
func (s *storm) upstreams(at *site) string {
	text := "upstreams:\n"
	for _, u := range at.pulls {
		text += fmt.Sprintf("\t%s: {broker: %s, max-hops: %d, reconnect-delay: {min: 100ms, max: 5s}", u, u, s.maxHops)
		if at.policy.ttl > 0 {
			text += fmt.Sprintf(", message-ttl: %dh", at.policy.ttl)
		}
		if at.policy.prefetch > 0 {
			text += fmt.Sprintf(", prefetch-count: %d", at.policy.prefetch)
		}
		text += "}\n"
	}
	return text
}

func (s *storm) startGateway(at *site, p *post) {
	roads := map[string]broker.Broker{}
	for name, r := range p.roads {
		roads[name] = r
	}
	p.gateway = s.gatewayOver(at.name, roads, s.configure(at))
}

// blow lets things happen, then nothing, until all is as it should be.
func (s *storm) blow(deeds []func()) {
	for range 150 {
		deeds[s.IntN(len(deeds))]()
		s.publishSome()
		s.after(time.Duration(s.IntN(3000)) * time.Millisecond)
		s.learn()
	}
	s.calm(func(at *site) {
		at.DeclareExchange(stormExchanges[1], memory.Topic)
		at.policy.off = false
	})
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

// calm ends whatever is wrong. mend does so where a site needs more.
func (s *storm) calm(mend func(at *site)) {
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
		at.HideDepth(false)
		mend(at)
		for _, p := range at.gateways {
			if p.gateway == nil {
				s.startGateway(at, p)
			}
			p.apply(s.configure(at))
			for _, status := range p.Statuses() {
				l, _ := p.Link(status.Name)
				l.Resume()
			}
		}
	}
}

// overExchanges brews over exchanges.
func overExchanges(t *testing.T, seeds []uint64, test func(s *storm)) {
	brew(t, seeds, []string{"one way", "two ways", "mesh", "chain", "ring"}, func(s *storm) {
		s.gone = map[string]time.Time{}
		s.settle(s.settleExchanges, func(at *site) string {
			if at.policy.off {
				return ""
			}
			return s.upstreams(at) + "policies:\n\tcatalog: {pattern: \"^catalog\", apply-to: exchanges, definition: {federation-upstream-set: all}}\n"
		})
		test(s)
	})
}

// settleExchanges gives a site exchanges and queues. Some bindings stay.
func (s *storm) settleExchanges(at *site) {
	at.DeclareExchange(stormExchanges[1], memory.Topic)
	for range 3 {
		s.declare(at)
	}
	for _, b := range at.bindings {
		b.lasting = b.exchange == stormExchanges[0]
	}
}

// Without a fault everything that is owed arrives, exactly once.
func TestGentleStormOverExchanges(t *testing.T) {
	overExchanges(t, seeds(6), func(s *storm) {
		s.blow(s.gentle())
		s.arrivedOnce(true)
	})
}

// With faults everything that is owed arrives.
func TestRoughStormOverExchanges(t *testing.T) {
	overExchanges(t, seeds(14), func(s *storm) {
		s.blow(append(s.gentle(), s.rough()...))
		s.arrivedOnce(false)
	})
}
