package migrate

import (
	"net"
	"slices"

	"go.yaml.in/yaml/v4"
)

// broker will be an entry of brokers:. Its name is found when all are known; until then others hold references to it.
type broker struct {
	login
	base       string   // what its name begins with, where that is not a host
	local      bool     // the cluster that runs the plugins
	nodes      []string // host:port, in the order of their uris
	uris       []string // one for each node
	references []*yaml.Node
	remarks    []string
	downstream bool // a policy federates its exchanges or queues
	upstream   bool

	name     string
	variable string // of the password; "" where there is none
}

// reference is a place in the file for the broker's name.
func (b *broker) reference() *yaml.Node {
	r := text("")
	b.references = append(b.references, r)
	return r
}

func (b *broker) remark(texts ...string) {
	for _, t := range texts {
		if !slices.Contains(b.remarks, t) {
			b.remarks = append(b.remarks, t)
		}
	}
}

func (b *broker) add(e endpoint) {
	if !slices.Contains(b.nodes, e.node) {
		b.nodes, b.uris = append(b.nodes, e.node), append(b.uris, e.written)
	}
}

// brokers collects those that are referred to.
type brokers struct {
	home []endpoint // the nodes of the local cluster, at least one
	all  []*broker
}

// at is the broker of the local cluster for a virtual host.
func (b *brokers) at(vhost string) *broker {
	l := b.home[0].login
	l.vhost = vhost
	return b.local(l)
}

func (b *brokers) local(l login) *broker {
	for _, known := range b.all {
		if known.local && known.login == l {
			return known
		}
	}
	found := &broker{login: l, local: true}
	for _, e := range b.home {
		found.add(e)
		found.remark(e.remarks...)
	}
	b.all = append(b.all, found)
	return found
}

// find is the broker behind the uris of one parameter, which are nodes of one cluster. A uri without a path means vhost. owner
// is the name of the parameter, for the case that no uri can be read.
func (b *brokers) find(uris []string, vhost, owner string) *broker {
	var nodes []endpoint
	for _, uri := range uris {
		if e, ok := parse(uri, vhost); ok {
			nodes = append(nodes, b.settle(e))
		}
	}
	if len(nodes) == 0 {
		return b.fillIn(owner)
	}
	found := b.holding(nodes)
	for _, e := range nodes {
		switch {
		case e.login != found.login || e.direct != found.local:
			found.remark("uris of this cluster differ in more than their host (user, virtual host, TLS, heartbeat), which one broker " +
				"cannot; those that are unlike the first are left out")
		case !e.direct:
			found.add(e)
		}
		found.remark(e.remarks...)
	}
	if len(nodes) < len(uris) {
		found.remark("a uri is left out: it is encrypted, or cannot be read")
	}
	return found
}

// holding is the broker that the first of some nodes belongs to: the one with the same login and one of the nodes.
func (b *brokers) holding(nodes []endpoint) *broker {
	first := nodes[0]
	if first.direct {
		return b.local(first.login)
	}
	for _, known := range b.all {
		shares := slices.ContainsFunc(nodes, func(n endpoint) bool {
			return n.login == first.login && slices.Contains(known.nodes, n.node)
		})
		if !known.local && known.login == first.login && shares {
			return known
		}
	}
	found := &broker{login: first.login}
	b.all = append(b.all, found)
	return found
}

// settle finds out whether a uri leads to the local cluster: without a host, by a node of --local, or by localhost, which meant
// the host of RabbitMQ. How weir reaches that is said by --local; what a uri adds is its virtual host and its user.
func (b *brokers) settle(e endpoint) endpoint {
	isHome := slices.ContainsFunc(b.home, func(h endpoint) bool { return h.node == e.node })
	host, port, _ := net.SplitHostPort(e.node)
	isLoopback := slices.Contains(loopback, host)
	switch usual := port == "5672" || port == "5671"; {
	case e.direct || isHome || isLoopback && usual:
	case isLoopback:
		e.remark("%s was the host of RabbitMQ; write its name if weir runs elsewhere", host)
		return e
	default:
		return e
	}
	l := b.home[0].login
	l.vhost = e.login.vhost
	if !e.direct && e.login.username != "" {
		l.username = e.login.username
	}
	settled := endpoint{direct: true, login: l}
	if e.login.username = l.username; e.login != l {
		settled.remark("a uri of the local cluster has TLS, a heartbeat or a user of its own; --local says how weir reaches it")
	}
	return settled
}

// loopback is how a RabbitMQ node finds its own host.
var loopback = []string{"localhost", "127.0.0.1", "::1"}

// fillIn is a broker of which nothing is known: weir loads it, and cannot connect.
func (b *brokers) fillIn(owner string) *broker {
	found := &broker{base: owner, login: login{vhost: "/", username: "fill-in"}}
	found.add(endpoint{node: "fill-in.invalid:5672", written: "amqp://fill-in.invalid:5672"})
	found.remark("fill in uris, vhost and username: the definitions hold the uri encrypted, or it cannot be read")
	b.all = append(b.all, found)
	return found
}
