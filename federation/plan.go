package federation

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"

	"weir/broker"
	"weir/configs"
)

// plan is what the configuration says about one downstream.
type plan struct {
	site  string
	to    end
	local bool
	rules []rule
	from  map[string]end // the brokers of the upstreams, by name
	// queues is what all queue links share.
	queues *queues
}

// inventory is what exists at a downstream.
type inventory struct {
	exchanges []broker.Exchange
	queues    []broker.Queue
}

// newPlan gathers what concerns one downstream.
func newPlan(cfg *configs.Config, downstream string, brokers Brokers, shared *queues) plan {
	find := func(name string) end {
		b, version := brokers(name)
		return end{name: name, vhost: cfg.Brokers[name].VHost, broker: b, version: version}
	}
	p := plan{site: cfg.Site, to: find(downstream), local: downstream == cfg.Local, rules: rules(cfg, downstream), from: map[string]end{},
		queues: shared}
	for _, r := range p.rules {
		for _, u := range r.upstreams {
			p.from[u.Broker] = find(u.Broker)
		}
	}
	return p
}

// wantsQueues tells whether any policy looks at queues, wantsExchanges whether any looks at exchanges.
func (p plan) wantsQueues() bool {
	return slices.ContainsFunc(p.rules, func(r rule) bool { return r.ApplyTo != configs.ApplyToExchanges })
}

func (p plan) wantsExchanges() bool { return slices.ContainsFunc(p.rules, rule.appliesToExchanges) }

// pairs are the links that the policies ask for, given what exists, and what is wrong with policies: some match nothing,
// some have two upstreams that would fetch the same messages, of which only the first counts.
func (p plan) pairs(have inventory, log *slog.Logger) (all []pair, wrong map[string]string) {
	matched, taken, wrong := map[string]bool{}, map[string]string{}, map[string]string{}
	add := func(r rule, x *broker.Exchange, q *broker.Queue) {
		matched[r.Name] = true
		for _, u := range r.upstreams {
			made := pair{site: p.site, policy: r.Name, upstream: u, from: p.from[u.Broker], to: p.to, local: p.local, exchange: x, queue: q,
				queues: p.queues}
			made.log = log.With("link", made.name())
			source := made.fetches()
			if other, is := taken[source]; is {
				wrong[r.Name] = fmt.Sprintf("upstreams %s and %s are the same %s; only the first is used", other, u.Name, source)
				continue
			}
			taken[source] = u.Name
			all = append(all, made)
		}
	}
	for _, x := range have.exchanges {
		if r, ok := ruleForExchange(p.rules, x); ok {
			add(r, &x, nil)
		}
	}
	for _, q := range have.queues {
		if r, ok := ruleForQueue(p.rules, q); ok {
			add(r, nil, &q)
		}
	}
	for _, r := range p.rules {
		if !matched[r.Name] {
			wrong[r.Name] = fmt.Sprintf("no %s matches %s", objects(r.ApplyTo), r.Pattern)
		}
	}
	return all, wrong
}

// Foresee tells, given what exists at a downstream, what is wrong there with policies, by their names: some match nothing,
// some would fetch the same messages twice.
func Foresee(cfg *configs.Config, downstream string, exchanges []broker.Exchange, queues []broker.Queue) map[string]string {
	p := newPlan(cfg, downstream, func(string) (broker.Broker, string) { return nil, "" }, nil)
	_, wrong := p.pairs(inventory{exchanges, queues}, slog.New(slog.DiscardHandler))
	return wrong
}

// objects are what a policy looks for, in words.
func objects(a configs.ApplyTo) string {
	switch a {
	case configs.ApplyToExchanges:
		return "exchange"
	case configs.ApplyToAll:
		return "exchange or queue"
	}
	return "queue"
}

// fetches names what a pair takes its messages from and where they go: no two links may have it in common.
func (p pair) fetches() string {
	if p.exchange != nil {
		return fmt.Sprintf("exchange %s of %s for %s", p.upstreamExchange(), p.from.name, p.exchange.Name)
	}
	return fmt.Sprintf("queue %s of %s for %s", cmp.Or(p.upstream.Queue, p.queue.Name), p.from.name, p.queue.Name)
}
