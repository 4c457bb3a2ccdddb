package configs

import (
	"maps"
	"regexp"
	"slices"
)

// loops reports whether an upstream is the very thing that is federated.
func loops(u Upstream, p Policy) bool {
	return u.Broker == p.Downstream && u.Exchange == "" && u.Queue == ""
}

// UpstreamsOf lists the upstreams that a policy federates with, in the order of their set or of their names, as the set
// has changed them. A pattern and the set "all" leave out an upstream that is the downstream itself.
func (c *Config) UpstreamsOf(p Policy) []Upstream {
	d := p.Definition
	switch {
	case d.Upstream != "":
		if u, ok := c.Upstreams[d.Upstream]; ok {
			return []Upstream{u}
		}
		return nil
	case d.UpstreamSet != "" && d.UpstreamSet != "all":
		var members []Upstream
		for _, m := range c.UpstreamSets[d.UpstreamSet] {
			u := c.Upstreams[m.Upstream]
			u.UpstreamSettings = m.UpstreamSettings
			members = append(members, u)
		}
		return members
	}
	pattern, err := regexp.Compile(d.UpstreamPattern) // "" for the set all, which matches every name
	if err != nil {
		return nil
	}
	var matching []Upstream
	for _, name := range slices.Sorted(maps.Keys(c.Upstreams)) {
		if u := c.Upstreams[name]; pattern.MatchString(name) && !loops(u, p) {
			matching = append(matching, u)
		}
	}
	return matching
}
