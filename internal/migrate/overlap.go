package migrate

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// beside tells what other rules of RabbitMQ have to do with a policy that federates.
func (i *importer) beside(place string, p policy) {
	var others []string
	for _, key := range slices.Sorted(maps.Keys(p.Definition)) {
		if !slices.Contains(federationKeys, key) {
			others = append(others, key)
		}
	}
	if len(others) > 0 {
		i.remarks.add(place, "the policy of RabbitMQ also sets %s: when you switch over, take only the federation key out of it",
			strings.Join(others, ", "))
	}
	pattern := regexp.MustCompile(p.Pattern) // refusal has looked
	for _, other := range i.listed() {
		if key, _ := other.federates(); key == "" && other.VHost == p.VHost && other.priority() >= p.priority() && overlap(p, other) {
			i.remarks.add(place, "policy %q, which does not federate, has the same or a higher priority (%d): RabbitMQ may follow it "+
				"where both match, weir federates there; narrow this pattern if that is not wanted", other.Name, other.priority())
		}
	}
	if p.appliesToExchanges() && !strings.Contains(p.Pattern, "amq") && slices.ContainsFunc(predeclared, pattern.MatchString) {
		i.remarks.add(place, "the pattern matches amq.topic or its like, too; weir federates those only where a pattern names amq")
	}
	if p.appliesToExchanges() {
		i.autoDelete(place, "exchange", pattern, i.defs.Exchanges, p)
	}
	if p.ApplyTo != "exchanges" {
		i.autoDelete(place, "queue", pattern, i.defs.Queues, p)
	}
}

// predeclared are the exchanges that each virtual host has.
var predeclared = []string{"amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.topic"}

func (p policy) appliesToExchanges() bool { return p.ApplyTo == "all" || p.ApplyTo == "exchanges" }

func (i *importer) autoDelete(place, what string, pattern *regexp.Regexp, all []exchangeOrQueue, p policy) {
	for _, one := range all {
		if one.AutoDelete && cmp.Or(one.VHost, i.vhost) == p.VHost && pattern.MatchString(one.Name) {
			i.remarks.add(place, "%s %q is auto-delete: the plugin federates it, weir does not", what, one.Name)
		}
	}
}

// overlap tells whether two policies may be about the same thing: they apply to the same kind, and none of their patterns begins
// with what rules the other out.
func overlap(a, b policy) bool {
	kinds := a.ApplyTo == "all" || b.ApplyTo == "all" || a.appliesToExchanges() == b.appliesToExchanges()
	x, y := beginning(a.Pattern), beginning(b.Pattern)
	return kinds && (strings.HasPrefix(x, y) || strings.HasPrefix(y, x))
}

// beginning is what all names begin with that a pattern matches, as far as it is plain.
func beginning(pattern string) string {
	rest, anchored := strings.CutPrefix(pattern, "^")
	expression, err := regexp.Compile(rest)
	if !anchored || err != nil {
		return ""
	}
	prefix, _ := expression.LiteralPrefix()
	return prefix
}
