package configs

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// check looks for what no single value can be blamed for. Each check notes what it finds and goes on.
func (c *checker) check() {
	if c.cfg.Version != 1 {
		c.mistake("version", "is %d; this weir reads version 1", c.cfg.Version)
	}
	if c.has("site") {
		c.checkName("site", c.cfg.Site)
	}
	if c.has("local") {
		c.checkBroker("local", c.cfg.Local)
	}
	each(c.cfg.Brokers, func(name string, b *Broker) { c.broker(path("brokers").key(name), *b) })
	c.embeddedApart()
	each(c.cfg.Upstreams, func(name string, u *Upstream) { c.upstream(path("upstreams").key(name), *u) })
	each(c.cfg.UpstreamSets, func(name string, set *[]SetMember) {
		c.upstreamSet(path("upstream-sets").key(name), name, *set)
	})
	each(c.cfg.Policies, func(name string, p *Policy) { c.policy(path("policies").key(name), *p) })
	c.bindingsRead()
	each(c.cfg.Shovels, func(name string, s *Shovel) { c.shovel(path("shovels").key(name), *s) })
	c.cycles()
	c.siteNeeded()
	c.linkSettings("defaults", c.cfg.Defaults)
	c.process()
}

// checkName checks a name that ends up in the names of queues, in metrics and in paths of the API.
func (c *checker) checkName(at path, name string) {
	switch {
	case name == "":
		c.mistake(at, "is empty")
	case strings.ContainsFunc(name, func(r rune) bool { return r == '/' || unicode.IsControl(r) }):
		c.mistake(at, `a name must not hold "/" or control characters`)
	case len(name) > 100:
		c.mistake(at, "is %d bytes long; a name has at most 100", len(name))
	}
}

// checkBroker checks that a broker of that name exists.
func (c *checker) checkBroker(at path, name string) {
	if _, ok := c.cfg.Brokers[name]; !ok {
		c.mistake(at, "no broker %q%s", c.written(at), suggest(name, slices.Sorted(maps.Keys(c.cfg.Brokers))))
	}
}

// checkBrokerOrLocal is checkBroker for a key that falls back to local.
func (c *checker) checkBrokerOrLocal(at path, name string) {
	switch {
	case c.has(at):
		c.checkBroker(at, name)
	case name == "":
		c.mistake(at, "missing, and there is no local: to fall back on")
	}
}

// siteNeeded checks that there is a site where something in a broker is named by it.
func (c *checker) siteNeeded() {
	if c.cfg.Site != "" || c.has("site") {
		return
	}
	if len(c.cfg.Upstreams) > 0 {
		c.mistake("site", "missing; it names the buffers of upstreams")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Shovels)) {
		s, at := c.cfg.Shovels[name].Source, path("shovels").key(name).key("source")
		if s.Exchange != "" {
			c.mistake("site", "missing; it names the queue that weir reads %s through", at.key("exchange"))
			return
		}
		if _, stream := s.ConsumerArgs["x-stream-offset"]; stream {
			c.mistake("site", "missing; it names the queue that keeps the offset of %s", at.key("queue"))
			return
		}
	}
}
