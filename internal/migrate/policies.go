package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"weir/configs"
)

// federationKeys are the three ways in which a policy names upstreams; RabbitMQ lets it have one.
var federationKeys = []string{"federation-upstream", "federation-upstream-set", "federation-upstream-pattern"}

// federates returns the key by which a policy names upstreams, and their name; "" for any other policy.
func (p policy) federates() (key, upstreams string) {
	for _, key := range federationKeys {
		if name, ok := p.Definition[key].(string); ok {
			return key, name
		}
	}
	return "", ""
}

func (p policy) priority() int64 {
	x, _ := p.Priority.Float64() // RabbitMQ has taken it for a number
	return int64(math.Trunc(x))
}

// policies takes over those policies that federate.
func (i *importer) policies() {
	for _, p := range i.listed() {
		key, upstreams := p.federates()
		if key == "" {
			continue
		}
		at := parameter{VHost: p.VHost, Name: p.Name}
		if err := i.refusal(p, key, upstreams); err != nil {
			i.leaveOut("policies", at, err)
			continue
		}
		name, place := i.named("policies", at)
		entry := newBlock()
		entry.text("pattern", p.Pattern)
		if p.ApplyTo != "all" {
			entry.text("apply-to", p.ApplyTo)
		}
		entry.whole("priority", p.priority())
		b := i.brokers.at(p.VHost)
		b.downstream = true
		i.unlessLocal(entry, "downstream", b)
		definition := newLine()
		definition.text(i.definition(key, upstreams, p))
		entry.block("definition", definition)
		i.beside(place, p)
		i.add("policies", name, entry.Node)
	}
	for _, p := range i.of("operator_policy") {
		if strings.Contains(string(p.Value), `"federation-upstream`) {
			i.leaveOut("policies", p, errors.New("it is an operator policy, by which RabbitMQ does not federate, nor does weir"))
		}
	}
}

// appliesTo are RabbitMQ's words that weir has, too.
var appliesTo = []string{"all", "exchanges", "queues", "classic_queues", "quorum_queues"}

// refusal says why a policy cannot be in the file.
func (i *importer) refusal(p policy, key, upstreams string) error {
	u, known := i.byUpstream[scoped{p.VHost, upstreams}]
	_, hasSet := i.bySet[scoped{p.VHost, upstreams}]
	switch {
	case p.ApplyTo == "streams":
		return errors.New("streams cannot be federated, by the plugin neither")
	case !slices.Contains(appliesTo, p.ApplyTo):
		return fmt.Errorf("weir cannot apply it to %q", p.ApplyTo)
	case !isRE2(p.Pattern), key == "federation-upstream-pattern" && !isRE2(upstreams):
		return errors.New("its pattern is no regular expression of RE2, which weir has (no lookahead, no backreference); write another one")
	case key == "federation-upstream" && !known:
		return fmt.Errorf("there is no upstream %q", upstreams)
	case key == "federation-upstream" && i.itself(u, p.VHost):
		return errors.New("its upstream leads to this very virtual host")
	case key == "federation-upstream-set" && upstreams != "all" && !hasSet:
		return fmt.Errorf("there is no upstream set %q", upstreams)
	}
	if pattern, ok := picks(key, upstreams); ok && len(i.picked(p.VHost, pattern)) == 0 {
		return errors.New("it leads to no upstream")
	}
	return nil
}

func isRE2(pattern string) bool {
	_, err := regexp.Compile(pattern)
	return err == nil
}

// picks returns the pattern for names of upstreams, where a policy has one or the set all.
func picks(key, upstreams string) (pattern *regexp.Regexp, ok bool) {
	switch {
	case key == "federation-upstream-set" && upstreams == "all":
		return regexp.MustCompile(""), true
	case key == "federation-upstream-pattern":
		return regexp.MustCompile(upstreams), true // refusal has looked
	}
	return nil, false
}

// definition is how the file names the upstreams of a policy. A pattern, and the set all, mean those of one virtual host in
// RabbitMQ and those of the whole file in weir; where that is not the same, a set of weir's lists them.
func (i *importer) definition(key, upstreams string, p policy) (keyHere, upstreamsHere string) {
	pattern, ok := picks(key, upstreams)
	switch {
	case ok && slices.Equal(i.picked(p.VHost, pattern), i.pickedHere(p.VHost, pattern)):
		return key, upstreams
	case ok:
		return "federation-upstream-set", i.listOf(key, upstreams, p)
	case key == "federation-upstream":
		return key, i.byUpstream[scoped{p.VHost, upstreams}].name
	}
	return key, i.bySet[scoped{p.VHost, upstreams}]
}

// picked are the names here of the upstreams that a pattern picks in RabbitMQ.
func (i *importer) picked(vhost string, pattern *regexp.Regexp) (found []string) {
	for at, u := range i.byUpstream {
		if at.vhost == vhost && pattern.MatchString(at.name) && !i.itself(u, vhost) {
			found = append(found, u.name)
		}
	}
	slices.Sort(found)
	return found
}

// pickedHere are those that it would pick in weir.
func (i *importer) pickedHere(vhost string, pattern *regexp.Regexp) (found []string) {
	for _, u := range i.byUpstream {
		if pattern.MatchString(u.name) && !i.itself(u, vhost) {
			found = append(found, u.name)
		}
	}
	slices.Sort(found)
	return found
}

// listOf is the name of a set of its own for what a policy picks.
func (i *importer) listOf(key, upstreams string, p policy) string {
	at := scoped{p.VHost, key + " " + upstreams} // no name of a set: those are under bySet, too
	if name, ok := i.bySet[at]; ok {
		return name
	}
	name := clean("all-" + cleanVHost(p.VHost))
	if key == "federation-upstream-pattern" {
		name = clean("matching-" + p.Name)
	}
	name = i.names("upstream-sets").pick(name)
	i.bySet[at] = name
	pattern, _ := picks(key, upstreams)
	var items []*yaml.Node
	for _, u := range i.picked(p.VHost, pattern) {
		items = append(items, text(u))
	}
	i.remarks.add(configs.Place("upstream-sets", name), "lists what policy %q of virtual host %q picks now, because %s is about one "+
		"virtual host in RabbitMQ and about the whole file here; add upstreams that come later", p.Name, p.VHost, key)
	i.add("upstream-sets", name, list(0, items...))
	return name
}

// listed are the policies with what RabbitMQ takes for granted, in the order of their virtual hosts and names.
func (i *importer) listed() []policy {
	if i.defs.Policies == nil {
		return nil
	}
	all := slices.Clone(*i.defs.Policies)
	for n := range all {
		all[n].VHost = cmp.Or(all[n].VHost, i.vhost)
		all[n].ApplyTo = cmp.Or(all[n].ApplyTo, "all")
	}
	slices.SortStableFunc(all, func(a, b policy) int {
		return cmp.Or(cmp.Compare(a.VHost, b.VHost), cmp.Compare(a.Name, b.Name))
	})
	return all
}
