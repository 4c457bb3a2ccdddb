package configs

import (
	"maps"
	"reflect"
	"slices"
)

// checker completes and checks what was decoded.
type checker struct {
	*report
	cfg *Config
}

// each visits a map in the order of its names and keeps what visit changes.
func each[T any](m map[string]T, visit func(name string, item *T)) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		item := m[name]
		visit(name, &item)
		m[name] = item
	}
}

// resolve fills in what one setting takes from another, so that nobody else has to know where a default comes from.
func (c *checker) resolve() {
	each(c.cfg.Brokers, c.resolveBroker)
	each(c.cfg.Upstreams, func(name string, u *Upstream) {
		u.Name = name
		inherit(c, path("upstreams").key(name), &u.LinkSettings, c.cfg.Defaults)
		c.resolveHeartbeat(path("upstreams").key(name), &u.LinkSettings, c.upstreamHeard(u.Broker))
	})
	each(c.cfg.UpstreamSets, func(name string, members *[]SetMember) {
		for i := range *members {
			m := &(*members)[i]
			at := path("upstream-sets").key(name).index(i)
			inherit(c, at, &m.UpstreamSettings, c.cfg.Upstreams[m.Upstream].UpstreamSettings)
		}
	})
	each(c.cfg.Policies, func(name string, p *Policy) {
		p.Name = name
		orElse(&p.Downstream, c.cfg.Local)
	})
	each(c.cfg.Shovels, c.resolveShovel)
}

// inherit sets every key of the block at p that was not written to what base says.
func inherit[T any](c *checker, p path, block *T, base T) {
	inheritFields(c, p, reflect.ValueOf(block).Elem(), reflect.ValueOf(base))
}

func inheritFields(c *checker, p path, block, base reflect.Value) {
	for _, f := range fields(block.Type()) {
		to, from, at := block.FieldByIndex(f.index), base.FieldByIndex(f.index), p.key(f.key)
		switch {
		case f.typ.Kind() == reflect.Struct:
			inheritFields(c, at, to, from)
		case !c.has(at):
			to.Set(from)
		}
	}
}

// orElse gives a setting that is empty another's value.
func orElse[T comparable](setting *T, other T) {
	var zero T
	if *setting == zero {
		*setting = other
	}
}

func (c *checker) resolveBroker(name string, b *Broker) {
	b.Name = name
	c.dropForeign(b)
	at := path("brokers").key(name)
	switch b.Type {
	case RabbitMQ:
		if b.AuthMechanism == Plain && !c.hasAny(at, "username", "password", "password-file") {
			b.Username, b.Password = "guest", NewSecret("guest")
		}
		if m := b.Management; m != nil && !c.hasAny(at.key("management"), "username", "password", "password-file") {
			m.Username, m.Password, m.PasswordFile = b.Username, b.Password, b.PasswordFile
		}
	case NATS, Embedded:
		if name == c.cfg.Local {
			orElse(&b.ClusterName, c.cfg.Site)
		}
		orElse(&b.ClusterName, name)
		orElse(&b.Streams.Replicas, replicas(*b))
	}
}

// replicas is the default for streams: three copies where that many nodes are known of.
func replicas(b Broker) int {
	if b.Cluster != nil || max(len(b.URIs), b.Nodes) >= 3 {
		return 3
	}
	return 1
}

// dropForeign clears the defaults of keys that brokers of this type do not have.
func (c *checker) dropForeign(b *Broker) {
	v := reflect.ValueOf(b).Elem()
	for _, f := range fields(v.Type()) {
		if !f.on(b.Type) {
			v.FieldByIndex(f.index).SetZero()
		}
	}
}

func (c *checker) hasAny(p path, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return c.has(p.key(name)) })
}

func (c *checker) resolveShovel(name string, s *Shovel) {
	s.Name = name
	at := path("shovels").key(name)
	inherit(c, at, &s.LinkSettings, c.cfg.Defaults)
	orElse(&s.Source.Broker, c.cfg.Local)
	orElse(&s.DeleteAfter, s.Source.DeleteAfter)
	s.Source.DeleteAfter = DeleteNever
	c.resolveHeartbeat(at, &s.LinkSettings, c.shovelHeard(*s))
	for _, f := range []*Fallback{&s.OnRefused, &s.OnUnroutable} {
		if f.DeadLetter != nil {
			orElse(&f.DeadLetter.Broker, s.Source.Broker)
		}
	}
	if o := s.Overflow; o != nil {
		orElse(&s.MaxHops, 1)
		if o.Watch == (Watch{Broker: o.Watch.Broker}) {
			o.Watch.Queue, o.Watch.Stream, o.Watch.Consumer = s.Source.Queue, s.Source.Stream, s.Source.Consumer
		}
		orElse(&o.Watch.Broker, s.Source.Broker)
	}
	for i := range s.Destinations {
		c.resolveDestination(at.key("destinations").index(i), s, &s.Destinations[i])
	}
}

func (c *checker) resolveDestination(at path, s *Shovel, to *Destination) {
	if !c.has(at.key("add-forward-headers")) {
		to.AddForwardHeaders = s.AddForwardHeaders
	}
	if !c.has(at.key("add-timestamp-header")) {
		to.AddTimestampHeader = s.AddTimestampHeader
	}
	if r := to.Room; r != nil {
		if r.Watch == (Watch{Broker: r.Watch.Broker}) {
			r.Watch.Queue = to.Queue
		}
		orElse(&r.Watch.Broker, to.Broker)
	}
}
