package federation_test

import (
	"fmt"
	"slices"
	"time"

	"weir/broker"
	"weir/broker/memory"
)

// stormWords make keys, and with wildcards patterns.
var stormWords = []string{"a", "b", "c", "d"}

func (s *storm) key() string { return one(s.Rand, stormWords) + "." + one(s.Rand, stormWords) }

func (s *storm) pattern() string {
	words := append([]string{"*", "#"}, stormWords...)
	return one(s.Rand, words) + "." + one(s.Rand, words)
}

func (s *storm) publishSome() {
	for range s.IntN(20) {
		at, exchange, key := s.anySite(), one(s.Rand, stormExchanges), s.key()
		if !has(at, exchange) {
			continue
		}
		body := fmt.Sprintf("%05d", s.published)
		s.published++
		m := &broker.Message{Exchange: exchange, RoutingKey: key, Body: []byte(body)}
		m.Headers = broker.Table{"from": at.name}
		s.say("publish %s to %s %s %s", body, at.name, exchange, key)
		_ = at.Publish(m) // unroutable if nobody wants it
		s.owe(at.name, exchange, key, body)
	}
}

func has(at *site, exchange string) bool {
	all, _ := at.Exchanges(noTrouble)
	return slices.ContainsFunc(all, func(x broker.Exchange) bool { return x.Name == exchange })
}

// gentle deeds: those of applications and operators, on a healthy network.
func (s *storm) gentle() []func() {
	return append(s.everyday(),
		s.bind, s.bind, s.bind, s.bind, s.unbind, s.unbind,
		func() { s.declare(s.anySite()) },
		s.deleteQueue,
		s.deleteExchange, s.declareExchange, s.declareExchange,
	)
}

// everyday deeds concern any federation.
func (s *storm) everyday() []func() {
	return []func(){
		func() {
			at, d := s.anySite(), time.Duration(s.IntN(200))*time.Millisecond
			s.say("%s takes %v to confirm", at.name, d)
			at.Latency(d)
		},
		func() {
			r, which := s.anyRoad()
			d := time.Duration(s.IntN(150)) * time.Millisecond
			s.say("the road %s takes %v", which, d)
			r.delay(d)
		},
		func() { at := s.anySite(); s.say("%s blocks", at.name); at.Block("low on memory") },
		s.unblock, s.unblock, s.unblock,
		func() { at := s.anySite(); s.say("%s loses hints", at.name); at.LoseHints(true) },
		func() { at := s.anySite(); s.say("%s loses no hints", at.name); at.LoseHints(false) },
		s.pause, s.resume, s.resume,
		s.restart, s.stop, s.restart,
		func() { s.edit(func(p *policy) { p.prefetch = []int{0, 1, 20}[s.IntN(3)] }) },
	}
}

// rough deeds: faults, and edits that change buffers.
func (s *storm) rough() []func() {
	return append(s.faults(),
		func() { s.edit(func(p *policy) { p.ttl = []int{0, 100, 200}[s.IntN(3)] }) },
		func() { s.edit(func(p *policy) { p.ttl = []int{0, 100, 200}[s.IntN(3)] }) },
		func() { s.switchOff(s.IntN(8) == 0) },
	)
}

// faults are connections and brokers that fail.
func (s *storm) faults() []func() {
	cut := func(closed error) func() {
		return func() {
			r, which := s.anyRoad()
			s.say("the road %s is cut: %v", which, closed)
			r.cut(closed)
		}
	}
	// away cuts all roads to a site.
	away := func(closed error) func() {
		return func() {
			to := s.anySite()
			s.say("%s is away: %v", to.name, closed)
			s.eachRoad(func(name string, r *road) {
				if name == to.name {
					r.cut(closed)
				}
			})
		}
	}
	up := func() {
		s.eachRoad(func(_ string, r *road) { r.open() })
		s.say("all is up")
	}
	return []func(){
		cut(nil), cut(nil), cut(broker.ErrLost), cut(broker.ErrLost),
		away(nil), away(broker.ErrLost), away(errSilent),
		up, up, up,
		func() { at := s.anySite(); s.say("%s holds confirms", at.name); at.HoldConfirms() },
		func() {
			for _, at := range s.sites {
				at.ReleaseConfirms()
			}
		},
	}
}

func (s *storm) declare(at *site) {
	name := fmt.Sprintf("%s-%d", at.name, at.queues)
	at.queues++
	s.say("declare %s", name)
	at.Declare(name, memory.Queue{})
	s.bindTo(at, name)
}

func (s *storm) bind() {
	at := s.anySite()
	if names := apps(at); len(names) > 0 {
		s.bindTo(at, one(s.Rand, names))
	}
}

// apps are the queues of applications.
func apps(at *site) []string {
	return slices.DeleteFunc(at.QueueNames(), func(name string) bool { return !isApp(at, name) })
}

func isApp(at *site, queue string) bool { return len(queue) > 3 && queue[:3] == at.name+"-" }

func (s *storm) bindTo(at *site, queue string) {
	b := &bound{queue: queue, exchange: one(s.Rand, stormExchanges), key: s.pattern(), known: map[string]bool{}}
	same := func(other *bound) bool {
		return !other.gone && other.queue == b.queue && other.exchange == b.exchange && other.key == b.key
	}
	if !has(at, b.exchange) || slices.ContainsFunc(at.bindings, same) {
		return
	}
	s.say("bind %s to %s with %s", queue, b.exchange, b.key)
	at.Bind(b.queue, b.exchange, b.key)
	at.bindings = append(at.bindings, b)
}

func (s *storm) unbind() {
	at := s.anySite()
	if len(at.bindings) == 0 {
		return
	}
	if b := one(s.Rand, at.bindings); !b.lasting {
		s.say("unbind %s from %s with %s", b.queue, b.exchange, b.key)
		at.Unbind(b.queue, b.exchange, b.key)
		s.forget(at, b)
	}
}

// forget notes that a binding has gone.
func (s *storm) forget(at *site, b *bound) {
	b.gone = true
	s.gone[at.name+b.exchange+b.key] = time.Now()
	at.bindings = slices.DeleteFunc(at.bindings, func(b *bound) bool { return b.gone })
}

func (s *storm) deleteQueue() {
	at := s.anySite()
	names := apps(at)
	if len(names) < 3 {
		return
	}
	name := one(s.Rand, names)
	if slices.ContainsFunc(at.bindings, func(b *bound) bool { return b.queue == name && b.lasting }) {
		return
	}
	s.say("delete %s", name)
	at.Delete(name)
	for _, b := range slices.Clone(at.bindings) {
		if b.queue == name {
			s.forget(at, b)
		}
	}
}

func (s *storm) deleteExchange() {
	at, name := s.anySite(), stormExchanges[1]
	if !has(at, name) {
		return
	}
	s.say("delete exchange %s of %s", name, at.name)
	at.DeleteExchange(name)
	for _, b := range slices.Clone(at.bindings) {
		if b.exchange == name {
			s.forget(at, b)
		}
	}
	for _, other := range s.sites {
		for _, b := range other.bindings {
			if b.exchange == name {
				clear(b.known)
			}
		}
	}
	for i := range s.owed {
		if d := &s.owed[i]; d.by.exchange == name && slices.Contains(d.path[1:], at.name) {
			d.off = true
		}
	}
}

func (s *storm) declareExchange() {
	at := s.anySite()
	s.say("declare exchange %s of %s", stormExchanges[1], at.name)
	at.DeclareExchange(stormExchanges[1], memory.Topic)
}

func (s *storm) unblock() {
	for _, at := range s.sites {
		at.Unblock()
	}
	s.say("nobody blocks")
}

func (s *storm) pause() {
	_, p := s.anyPost()
	if p.gateway == nil {
		return
	}
	if all := p.names(); len(all) > 0 {
		l, _ := p.Link(one(s.Rand, all))
		s.say("pause %s of %s", l.Status().Name, p.site)
		l.Pause("by hand")
	}
}

func (s *storm) resume() {
	_, p := s.anyPost()
	if p.gateway == nil {
		return
	}
	for _, name := range p.names() {
		l, _ := p.Link(name)
		l.Resume()
	}
	s.say("resume all of %s", p.site)
}

func (s *storm) stop() {
	if at, p := s.anyPost(); p.gateway != nil {
		s.say("stop gateway %d of %s", slices.Index(at.gateways, p), at.name)
		p.stop()
		p.gateway = nil
		s.say("it has stopped")
	}
}

func (s *storm) restart() {
	for _, name := range s.names {
		at := s.sites[name]
		for i, p := range at.gateways {
			if p.gateway == nil {
				s.say("start gateway %d of %s", i, at.name)
				s.startGateway(at, p)
			}
		}
	}
}

// edit changes a site's policy in all its gateways.
func (s *storm) edit(change func(*policy)) {
	at, _ := s.anyPost()
	before := at.policy
	change(&at.policy)
	if at.policy == before {
		return
	}
	s.say("%s has the policy %+v", at.name, at.policy)
	for _, p := range at.gateways {
		if p.gateway != nil {
			p.apply(s.configure(at))
		}
	}
}

// switchOff takes a policy away, or puts it back.
func (s *storm) switchOff(off bool) {
	at, _ := s.anyPost()
	if at.policy.off == off {
		return
	}
	at.policy.off = off
	s.say("the policy of %s is off: %v", at.name, off)
	for _, p := range at.gateways {
		if p.gateway != nil {
			p.apply(s.configure(at))
		}
	}
	s.unsure = time.Now()
	for _, other := range s.sites {
		for _, b := range other.bindings {
			clear(b.known)
		}
	}
	for i := range s.owed {
		if d := &s.owed[i]; len(d.path) > 2 && slices.Contains(d.path[2:], at.name) {
			d.off = true
		}
	}
}
