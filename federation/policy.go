package federation

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"weir/broker"
	"weir/configs"
)

// rule is a policy that is ready to be asked.
type rule struct {
	configs.Policy
	pattern   *regexp.Regexp
	upstreams []configs.Upstream
}

// rules are the policies of one downstream, the highest priority first. Where priorities are equal, which RabbitMQ leaves
// open, the name decides.
func rules(cfg *configs.Config, downstream string) []rule {
	var all []rule
	for _, name := range slices.Sorted(maps.Keys(cfg.Policies)) {
		p := cfg.Policies[name]
		pattern, err := regexp.Compile(p.Pattern)
		if p.Downstream != downstream || err != nil { // loading has refused a bad pattern
			continue
		}
		all = append(all, rule{Policy: p, pattern: pattern, upstreams: cfg.UpstreamsOf(p)})
	}
	slices.SortStableFunc(all, func(a, b rule) int { return cmp.Compare(b.Priority, a.Priority) })
	return all
}

// ruleForExchange is the one that applies to an exchange: only the highest that matches counts, as in RabbitMQ.
func ruleForExchange(all []rule, x broker.Exchange) (rule, bool) {
	if x.Name == "" || x.Internal || x.AutoDelete || ownObject(x.Name, x.Arguments) {
		return rule{}, false
	}
	return first(all, x.Name, func(r rule) bool {
		return r.appliesToExchanges() && (!strings.HasPrefix(x.Name, "amq.") || r.names("amq"))
	})
}

// ruleForQueue is the one that applies to a queue. Streams cannot be federated.
func ruleForQueue(all []rule, q broker.Queue) (rule, bool) {
	if q.Exclusive || q.AutoDelete || q.Type == "stream" || ownObject(q.Name, q.Arguments) {
		return rule{}, false
	}
	return first(all, q.Name, func(r rule) bool { return r.appliesToQueues(q.Type) })
}

func first(all []rule, name string, applies func(rule) bool) (rule, bool) {
	i := slices.IndexFunc(all, func(r rule) bool { return r.pattern.MatchString(name) && applies(r) })
	if i < 0 {
		return rule{}, false
	}
	return all[i], true
}

// ownObject tells what federation itself has made, weir's or the plugin's.
func ownObject(name string, arguments broker.Table) bool {
	_, internal := arguments["x-internal-purpose"]
	return internal || strings.HasPrefix(name, ownPrefix) || strings.HasPrefix(name, "federation: ")
}

// names tells whether a pattern means what begins with a word, and does not just match everything.
func (r rule) names(word string) bool { return strings.Contains(r.Pattern, word) }

func (r rule) appliesToExchanges() bool {
	return r.ApplyTo == configs.ApplyToAll || r.ApplyTo == configs.ApplyToExchanges
}

func (r rule) appliesToQueues(kind string) bool {
	switch r.ApplyTo {
	case configs.ApplyToAll, configs.ApplyToQueues:
		return true
	case configs.ApplyToClassicQueues:
		return kind == "classic"
	case configs.ApplyToQuorumQueues:
		return kind == "quorum"
	}
	return false
}
