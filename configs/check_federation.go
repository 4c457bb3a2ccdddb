package configs

import (
	"errors"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
)

func (c *checker) upstream(at path, u Upstream) {
	c.checkName(at, u.Name)
	c.checkBroker(at.key("broker"), u.Broker)
	c.upstreamSettings(at, u.UpstreamSettings)
	c.heartbeat(at, u.LinkSettings, c.upstreamHeard(u.Broker))
}

func (c *checker) upstreamSettings(at path, s UpstreamSettings) {
	c.linkSettings(at, s.LinkSettings)
	if key := at.key("expires"); c.has(key) {
		c.warn(key, "messages are lost when the gateway is away for longer than %s", Brief(s.Expires))
	}
	if key := at.key("message-ttl"); c.has(key) {
		c.warn(key, "messages are lost when they cannot be fetched within %s", Brief(s.MessageTTL))
	}
}

func (c *checker) upstreamSet(at path, name string, members []SetMember) {
	if name == "all" {
		c.mistake(at, "the set all always exists and holds every upstream; choose another name")
	}
	if len(members) == 0 {
		c.mistake(at, "is empty; list upstreams")
	}
	type from struct{ upstream, exchange, queue string }
	seen := map[from]bool{}
	for i, m := range members {
		c.checkUpstream(at.index(i).key("upstream"), m.Upstream)
		c.upstreamSettings(at.index(i), m.UpstreamSettings)
		c.heartbeat(at.index(i), m.LinkSettings, c.upstreamHeard(c.cfg.Upstreams[m.Upstream].Broker))
		key := from{m.Upstream, m.Exchange, m.Queue}
		if seen[key] {
			c.mistake(at.index(i), "upstream %q is there twice; give one of them another exchange or queue", m.Upstream)
		}
		seen[key] = true
	}
}

func (c *checker) checkUpstream(at path, name string) {
	if _, ok := c.cfg.Upstreams[name]; !ok {
		c.mistake(at, "no upstream %q%s", c.written(at), suggest(name, slices.Sorted(maps.Keys(c.cfg.Upstreams))))
	}
}

func (c *checker) policy(at path, p Policy) {
	c.checkName(at, p.Name)
	c.checkBrokerOrLocal(at.key("downstream"), p.Downstream)
	if c.unmanaged(p.Downstream) {
		c.mistake(at, "needs management: on broker %s, the downstream; RabbitMQ does not tell what exists and how it is bound otherwise",
			p.Downstream)
	}
	c.pattern(at.key("pattern"), p.Pattern)
	c.definition(at.key("definition"), p)
}

// pattern checks a regular expression. RabbitMQ's are PCRE, which can do more.
func (c *checker) pattern(at path, text string) bool {
	_, err := regexp.Compile(text)
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		c.mistake(at, "not a regular expression of RE2: %s: %q", e.Code, e.Expr)
	}
	return err == nil
}

// definition checks that one of the three keys is there and leads to an upstream.
func (c *checker) definition(at path, p Policy) {
	var given []string
	for _, key := range []string{"federation-upstream", "federation-upstream-set", "federation-upstream-pattern"} {
		if c.has(at.key(key)) {
			given = append(given, key)
		}
	}
	switch {
	case len(given) == 0:
		c.mistake(at, "names no upstream; write federation-upstream, federation-upstream-set or federation-upstream-pattern")
		return
	case len(given) > 1:
		c.mistake(at.key(given[1]), "a policy has one of the federation-upstream keys; %s is there already", given[0])
		return
	}
	at = at.key(given[0])
	switch d := p.Definition; given[0] {
	case "federation-upstream":
		c.checkUpstream(at, d.Upstream)
	case "federation-upstream-set":
		if _, ok := c.cfg.UpstreamSets[d.UpstreamSet]; !ok && d.UpstreamSet != "all" {
			known := append(slices.Sorted(maps.Keys(c.cfg.UpstreamSets)), "all")
			c.mistake(at, "no upstream set %q%s", c.written(at), suggest(d.UpstreamSet, known))
			return
		}
	case "federation-upstream-pattern":
		if !c.pattern(at, d.UpstreamPattern) {
			return
		}
	}
	c.upstreamsOf(at, p)
}

// upstreamsOf checks the upstreams that a policy leads to. `all` and a pattern may pick the downstream itself, which is
// then left out; named outright it is a mistake, unless another exchange or queue is named, too.
func (c *checker) upstreamsOf(at path, p Policy) {
	picked := p.Definition.UpstreamPattern != "" || p.Definition.UpstreamSet == "all"
	all := c.cfg.UpstreamsOf(p)
	if picked && len(all) == 0 {
		c.mistake(at, "leads to no upstream; those of %s itself do not count", p.Downstream)
	}
	for _, u := range all {
		if loops(u, p) {
			c.mistake(at, "upstream %s is on %s, which is the downstream; name another exchange or queue in the upstream",
				u.Name, u.Broker)
		}
	}
}

// bindingsRead warns of upstreams of exchanges that cannot tell what weir has bound there.
func (c *checker) bindingsRead() {
	told := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Policies)) {
		p := c.cfg.Policies[name]
		if p.ApplyTo != ApplyToAll && p.ApplyTo != ApplyToExchanges {
			continue
		}
		for _, u := range c.cfg.UpstreamsOf(p) {
			if c.unmanaged(u.Broker) && !told[u.Name] {
				told[u.Name] = true
				c.warn(path("upstreams").key(u.Name).key("broker"), "broker %s has no management:, so bindings cannot be read back; "+
					"those that go while weir is away stay there, and weir gc finds nothing there", u.Broker)
			}
		}
	}
}
