package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"go.yaml.in/yaml/v4"

	"weir/configs"
)

// Options say what definitions do not.
type Options struct {
	// Site is who the gateway speaks for; empty: the name of the cluster.
	Site string
	// Local are the uris of the cluster's nodes as weir reaches them, without a virtual host and a password; a user and
	// RabbitMQ's parameters (heartbeat, cacertfile, ...) may be in them. Empty: localhost.
	Local []string
	// Management are the uris of the cluster's management API; empty: the usual ports of Local.
	Management []string
	// VHost is the virtual host of definitions that do not name theirs, as the export of one does not; empty: "/".
	VHost string
	// File is the name that the file will have, for Problems.
	File string
}

// Result is a weir.yaml and what goes with it.
type Result struct {
	YAML      []byte
	Remarks   []Remark   // in the order of the file
	Variables []Variable // to set before weir starts
	// Upstreams and Shovels are how many of them the file holds.
	Upstreams, Shovels int
	// Problems are what weir's own loader has against the file; none, but for circles of shovels and the like, which the plugins
	// allow.
	Problems configs.Problems
}

// Variable is an environment variable for a password.
type Variable struct {
	Name string
	For  string // whose password it is
}

// ErrNoSite is returned where neither the definitions nor the options name the site.
var ErrNoSite = errors.New("the definitions do not tell what the cluster calls itself; choose a name for this side, with --site NAME: it names " +
	"weir's queues at other brokers, so it must stay as it is, and no other side may have it")

// ErrLocal is in the error for a uri in Options.Local that is none, or holds what has no place there.
var ErrLocal = errors.New("--local")

// ErrNothing is in the error for definitions that hold nothing to take over; Remarks then tell what was left out.
var ErrNothing = errors.New("nothing to import: no upstream and no shovel that weir could run")

// Import turns definitions into a weir.yaml. Its errors are about the data, ErrNoSite and a bad option apart.
func Import(data []byte, o Options) (*Result, error) {
	defs, err := read(data)
	if err != nil {
		return nil, err
	}
	i, err := newImporter(defs, o)
	if err != nil {
		return nil, err
	}
	i.upstreams()
	i.sets()
	i.policies()
	i.shovels()
	return i.result()
}

// importer is one import.
type importer struct {
	defs    *definitions
	options Options
	site    string
	vhost   string // of what does not name its own

	brokers    brokers
	byUpstream map[scoped]*upstream
	bySet      map[scoped]string // their names in the file
	taken      map[string]names  // by section
	sections   map[string]map[string]*yaml.Node
	mentions   []mention
	remarks    remarks
}

// mention is a key that names a broker. It is not written where that is the only local one.
type mention struct {
	in     block
	key    string
	broker *broker
}

func newImporter(defs *definitions, o Options) (*importer, error) {
	i := &importer{
		defs: defs, options: o, vhost: cmp.Or(o.VHost, defs.VHost, "/"),
		byUpstream: map[scoped]*upstream{}, bySet: map[scoped]string{},
		taken: map[string]names{}, sections: map[string]map[string]*yaml.Node{},
	}
	name := cmp.Or(o.Site, defs.clusterName())
	if name == "" {
		return nil, ErrNoSite
	}
	if i.site = clean(name); i.site != name {
		i.remarks.add("site", "%q cannot be the name of a site", name)
	}
	for _, uri := range o.Local {
		e, err := home(uri)
		if err != nil {
			return nil, err
		}
		i.brokers.home = append(i.brokers.home, e)
	}
	if len(o.Local) == 0 {
		e, _ := parse("amqp://localhost:5672", "/")
		i.brokers.home = []endpoint{e}
	}
	return i, nil
}

// home is a node of the local cluster. No error quotes the uri: there may be a password in it.
func home(uri string) (endpoint, error) {
	e, ok := parse(uri, "/")
	u, err := url.Parse(uri)
	if !ok || e.direct || err != nil {
		return endpoint{}, fmt.Errorf("%w wants amqp://HOST:PORT or amqps://HOST:PORT, with a user if need be: amqp://weir@HOST:PORT", ErrLocal)
	}
	if _, secret := u.User.Password(); secret || u.Path != "" {
		return endpoint{}, fmt.Errorf("%w takes neither a password, in whose place the file names a variable, nor a virtual host", ErrLocal)
	}
	return e, nil
}

// of are the parameters of a component, in the order of their virtual hosts and names.
func (i *importer) of(component string) []parameter {
	all := i.defs.parameters(component)
	for n := range all {
		all[n].VHost = cmp.Or(all[n].VHost, i.vhost)
	}
	slices.SortStableFunc(all, func(a, b parameter) int {
		return cmp.Or(cmp.Compare(a.VHost, b.VHost), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// named finds the name that a parameter or policy has in the file.
func (i *importer) named(section string, p parameter) (name, place string) {
	name = i.names(section).forVHost(p.Name, p.VHost)
	place = configs.Place(section, name)
	if name != p.Name {
		i.remarks.add(place, "in RabbitMQ it is %q of virtual host %q", p.Name, p.VHost)
	}
	return name, place
}

// names are those that a section has.
func (i *importer) names(section string) names {
	if i.taken[section] == nil {
		i.taken[section] = names{}
	}
	return i.taken[section]
}

func (i *importer) add(section, name string, entry *yaml.Node) {
	if i.sections[section] == nil {
		i.sections[section] = map[string]*yaml.Node{}
	}
	i.sections[section][name] = entry
}

func (i *importer) leaveOut(section string, p parameter, why error) {
	i.remarks.add(section, "%q of virtual host %q is left out: %v", p.Name, p.VHost, why)
}

func (i *importer) sayAt(place string) func(format string, args ...any) {
	return func(format string, args ...any) { i.remarks.add(place, format, args...) }
}

// unlessLocal notes that a block names a broker, which goes without saying where it is the only local one.
func (i *importer) unlessLocal(in block, key string, b *broker) {
	i.mentions = append(i.mentions, mention{in, key, b})
}
