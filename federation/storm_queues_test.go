package federation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// crew are the consumers of a storm over queues.
type crew struct {
	*storm
	all     []*worker
	working map[string][]*worker // by site
}

// overQueues brews over a queue that is one in several sites.
func overQueues(t *testing.T, seeds []uint64, test func(c *crew)) {
	brew(t, seeds, []string{"one way", "two ways", "mesh", "chain", "ring"}, func(s *storm) {
		s.settle(func(at *site) { at.Declare("work", memory.Queue{}) }, func(at *site) string {
			return s.upstreams(at) + "policies:\n\twork: {pattern: \"^work$\", apply-to: queues, definition: {federation-upstream-set: all}}\n"
		})
		test(&crew{storm: s, working: map[string][]*worker{}})
	})
}

// blow lets things happen, then has everybody work until nothing is left.
func (c *crew) blow(deeds []func()) {
	for range 150 {
		deeds[c.IntN(len(deeds))]()
		at, n := c.anySite(), c.IntN(8)
		put(at.Broker, c.published, n)
		c.published += n
		c.after(time.Duration(c.IntN(3000)) * time.Millisecond)
	}
	c.calm(func(at *site) { c.hire(at, 10, 20*time.Millisecond) })
	c.until("left", c.left)
	c.Logf("%d published, %d done", c.published, done(c.all...))
}

// deeds are those of who works here.
func (c *crew) deeds() []func() {
	hire := func() {
		c.hire(c.anySite(), []int{1, 1, 10}[c.IntN(3)], []time.Duration{30 * time.Millisecond, 300 * time.Millisecond, 5 * time.Second}[c.IntN(3)])
	}
	return []func(){
		hire, hire, hire, hire, c.fire, c.fire, c.fire,
		func() { at := c.anySite(); c.say("the depth of %s is hidden", at.name); at.HideDepth(true) },
		func() {
			for _, at := range c.sites {
				at.HideDepth(false)
			}
		},
	}
}

func (c *crew) hire(at *site, prefetch int, takes time.Duration) {
	c.say("a worker in %s takes %v", at.name, takes)
	k := c.worker(at.Broker, prefetch, takes)
	c.all = append(c.all, k)
	c.working[at.name] = append(c.working[at.name], k)
}

func (c *crew) fire() {
	at := c.anySite()
	if all := c.working[at.name]; len(all) > 0 {
		i := c.IntN(len(all))
		c.say("a worker in %s stops", at.name)
		all[i].stop()
		c.working[at.name] = slices.Delete(all, i, i+1)
	}
}

// left is what has not been done, or is not in order.
func (c *crew) left() string {
	seen := map[string]bool{}
	for _, k := range c.all {
		k.mu.Lock()
		for _, m := range k.did {
			seen[string(m.Body)] = true
		}
		k.mu.Unlock()
	}
	var text []string
	if n := c.published - len(seen); n > 0 {
		text = append(text, fmt.Sprintf("%d of %d were not done", n, c.published))
	}
	for _, name := range c.names {
		if d, _ := c.sites[name].Depth(noTrouble, broker.Address{Queue: "work"}); d.Ready.N+d.Unacked.N > 0 {
			text = append(text, fmt.Sprintf("%s has %v ready, %v unacked", name, d.Ready, d.Unacked))
		}
		for _, p := range c.sites[name].gateways {
			for _, l := range p.Statuses() {
				if l.State != link.Idle && l.State != link.Running || *l.Federation.Stranded > 0 {
					text = append(text, fmt.Sprintf("%s of %s is %s, %s, %d stranded", l.Name, name, l.State, l.Reason, *l.Federation.Stranded))
				}
			}
		}
	}
	return strings.Join(text, "\n")
}

// most is how often a message may leave a queue by one link in the minutes of a storm: a queue whose consumers had no time for
// it counts as busy for half a second, then for twice as long each time, up to half a minute. A gateway that restarts forgets.
const most = 30

// visits checks how often messages went to and fro.
func (c *crew) visits() {
	worst := int64(0)
	for _, k := range c.all {
		for _, m := range k.did {
			list, _ := m.Headers[link.ReceivedFrom].(broker.Array)
			for _, hop := range list {
				n, _ := hop.(broker.Table)["visit-count"].(int64)
				worst = max(worst, n)
				if n > most {
					c.Errorf("message %s: %v", m.Body, list)
				}
			}
		}
	}
	c.Logf("most visits: %d", worst)
}

// Without a fault all is done exactly once.
func TestGentleStormOverQueues(t *testing.T) {
	overQueues(t, seeds(5), func(c *crew) {
		c.blow(append(c.everyday(), c.deeds()...))
		c.allOnce(c.published, c.all...)
		c.visits()
	})
}

// With faults all is done.
func TestRoughStormOverQueues(t *testing.T) {
	overQueues(t, seeds(10), func(c *crew) {
		c.blow(slices.Concat(c.everyday(), c.deeds(), c.faults()))
		for _, k := range c.all {
			k.stop()
		}
		c.visits()
	})
}
