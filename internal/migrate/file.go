package migrate

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"weir/configs"
)

// sectionNames are those of the file after brokers, in their order.
var sectionNames = []string{"upstreams", "upstream-sets", "policies", "shovels"}

// result writes the file, when all that goes into it is known.
func (i *importer) result() (*Result, error) {
	r := &Result{Upstreams: len(i.sections["upstreams"]), Shovels: len(i.sections["shovels"])}
	if r.Upstreams+r.Shovels == 0 {
		r.Remarks = i.inOrder()
		return r, ErrNothing
	}
	i.brokers.name(i.site)
	i.defaults(r)
	parts := []block{i.head(), i.brokerSection()}
	for _, name := range sectionNames {
		if entries := i.sections[name]; len(entries) > 0 {
			parts = append(parts, i.section(name, entries))
		}
	}
	r.Variables = i.variables()
	parts[0].HeadComment = comment(i.preface(r))
	r.Remarks = i.inOrder()
	var err error
	if r.YAML, err = dump(parts); err != nil {
		return nil, err
	}
	_, _, err = configs.Parse(i.options.File, r.YAML, func(name string) (string, bool) {
		known := slices.ContainsFunc(r.Variables, func(v Variable) bool { return v.Name == name })
		return "a password", known
	})
	if !errors.As(err, &r.Problems) && err != nil {
		return nil, err
	}
	return r, nil
}

// defaults tells where a key that is not there means something else here.
func (i *importer) defaults(r *Result) {
	if r.Upstreams > 0 {
		i.remarks.first("upstreams", "what is not written has weir's defaults, not the plugin's: prefetch-count automatic (there 1000), queue-type "+
			"quorum (there classic), reconnect-delay 500ms growing to 30s (there 5s)")
	}
	if r.Shovels > 0 {
		i.remarks.first("shovels", "what is not written has weir's defaults, not the plugin's: prefetch-count automatic (there 1000), reconnect-delay "+
			"500ms growing to 30s (there 5s). A message that reaches no queue is not lost: the shovel tries 10 times, then pauses (on-unroutable)")
	}
}

// head is what the file says of itself.
func (i *importer) head() block {
	b := newBlock()
	b.whole("version", 1)
	b.put("site", text(i.site), i.remarks.at("site")...)
	home := i.onlyHome()
	if home != nil {
		b.text("local", home.name)
	}
	for _, m := range i.mentions {
		if m.broker != home {
			m.in.Content = slices.Insert(m.in.Content, 0, text(m.key), m.broker.reference())
		}
	}
	i.brokers.tell()
	return b
}

// onlyHome is the broker of the local cluster, or nil where there is none, or one for each of several virtual hosts or users: then
// everybody names his.
func (i *importer) onlyHome() *broker {
	var found *broker
	for _, b := range i.brokers.all {
		switch {
		case !b.local:
		case found != nil:
			return nil
		default:
			found = b
		}
	}
	return found
}

func (i *importer) brokerSection() block {
	entries := newBlock()
	for _, b := range i.brokers.all {
		place := configs.Place("brokers", b.name)
		entry := newBlock()
		entry.text("type", "rabbitmq")
		entry.put("uris", texts(b.uris))
		if b.vhost != "/" {
			entry.text("vhost", b.vhost)
		}
		entry.text("username", b.username)
		if b.variable != "" {
			entry.text("password", "${env:"+b.variable+"}")
		}
		if b.external {
			entry.text("auth-mechanism", string(configs.External))
		}
		tls := newLine()
		tls.text("ca-file", b.caFile)
		tls.text("cert-file", b.certFile)
		tls.text("key-file", b.keyFile)
		tls.text("server-name", b.serverName)
		entry.block("tls", tls)
		if b.caFile != "" || b.certFile != "" {
			i.remarks.add("brokers", "the files under tls are those of the RabbitMQ nodes; copy them to where weir runs")
		}
		entry.duration("heartbeat", b.heartbeat)
		entry.block("management", i.management(b))
		for _, t := range b.remarks {
			i.remarks.add(place, "%s", t)
		}
		entries.put(b.name, entry.Node, i.remarks.at(place)...)
	}
	if len(i.options.Local) == 0 && slices.ContainsFunc(i.brokers.all, func(b *broker) bool { return b.local }) {
		i.remarks.first("brokers", "localhost stands for the cluster that the definitions are from; write its nodes, or give them with --local")
	}
	section := newBlock()
	section.put("brokers", entries.Node, i.remarks.at("brokers")...)
	return section
}

// management is where a broker's management API is, which the policies of a downstream need.
func (i *importer) management(b *broker) block {
	api := newLine()
	switch {
	case b.upstream && !b.local:
		i.remarks.add("brokers", "add management: {uris: [...]} to the brokers of upstreams: without it bindings that go while weir is away "+
			"stay there, and weir gc finds nothing there")
	case b.local && (b.downstream || b.upstream):
		uris := i.options.Management
		if len(uris) == 0 {
			uris = usualAPI(b)
			i.remarks.add("brokers", "management is a guess, by RabbitMQ's usual port")
		}
		api.put("uris", texts(uris))
		if b.external {
			api.text("username", "fill-in")
			api.text("password", "${env:"+i.apiVariable(b)+"}")
			b.remark("fill in the user of management: the API takes no client certificate")
		}
	}
	if b.local && b.username == "" && !b.external {
		i.remarks.add("brokers", "where no username is written weir logs in as guest, whom RabbitMQ lets in from its own host only; give it a "+
			"user, with --local amqp://USER@HOST")
	}
	return api
}

func (i *importer) apiVariable(b *broker) string {
	return strings.TrimSuffix(variable(b.name), "PASSWORD") + "MANAGEMENT_PASSWORD"
}

func usualAPI(b *broker) []string {
	var uris []string
	for _, node := range b.nodes {
		host, _, err := net.SplitHostPort(node)
		if err != nil { // it was joined here
			continue
		}
		u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, "15672")}
		if b.secure {
			u = url.URL{Scheme: "https", Host: net.JoinHostPort(host, "15671")}
		}
		uris = append(uris, u.String())
	}
	return uris
}

func (i *importer) section(name string, entries map[string]*yaml.Node) block {
	inside := newBlock()
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		inside.put(key, entries[key], i.remarks.at(configs.Place(name, key))...)
	}
	section := newBlock()
	section.put(name, inside.Node, i.remarks.at(name)...)
	return section
}

// variables are those that the file names, in the order of their brokers.
func (i *importer) variables() (all []Variable) {
	for _, b := range i.brokers.all {
		at := slices.IndexFunc(all, func(v Variable) bool { return v.Name == b.variable })
		switch {
		case b.variable == "":
		case at >= 0:
			all[at].For += ", " + b.name
		default:
			all = append(all, Variable{b.variable, fmt.Sprintf("user %s of broker %s", oneLine(b.username), b.name)})
		}
		if b.external && b.local && (b.downstream || b.upstream) {
			all = append(all, Variable{i.apiVariable(b), "the management API of broker " + b.name})
		}
	}
	return all
}

// preface is the comment above the file: how it came about, and what has no place in it.
func (i *importer) preface(r *Result) []string {
	lines := []string{"Made by weir import from definitions of RabbitMQ. How to switch over without loss: docs/migration.md"}
	if len(r.Variables) > 0 {
		lines = append(lines, "Before weir starts, set these variables, or write password-file in place of password:")
	}
	for _, v := range r.Variables {
		lines = append(lines, v.Name+": "+v.For)
	}
	for _, name := range sectionNames {
		if len(i.sections[name]) == 0 {
			for _, t := range i.remarks.at(name) {
				lines = append(lines, name+": "+t)
			}
		}
	}
	return lines
}

// inOrder are the remarks in the order of the file.
func (i *importer) inOrder() []Remark {
	order := append([]string{"site", "brokers"}, sectionNames...)
	rank := func(r Remark) int {
		section, _, _ := strings.Cut(strings.ReplaceAll(r.Place, "[", "."), ".")
		return slices.Index(order, section)
	}
	all := slices.Clone(i.remarks)
	slices.SortStableFunc(all, func(a, b Remark) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a.Place, b.Place)
	})
	return all
}
