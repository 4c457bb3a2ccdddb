package federation

import (
	"cmp"
	"fmt"
	"log/slog"

	"weir/broker"
	"weir/configs"
	"weir/link"
)

// end is the broker at one side of a pair.
type end struct {
	name    string // as declared
	vhost   string // as declared; what names are made of does not wait for a connection
	broker  broker.Broker
	version string // of its declaration
}

// pair is one federated exchange or queue with one upstream of it: what a link is made of.
type pair struct {
	site     string
	policy   string
	upstream configs.Upstream // its settings as the set has changed them
	from, to end              // the upstream's broker, the downstream
	local    bool             // the downstream is the broker named local
	log      *slog.Logger

	exchange *broker.Exchange // as the downstream describes it, for an exchange link
	queue    *broker.Queue    // the same for a queue link
	queues   *queues          // what all queue links of the process share
}

// name is that of its link: the upstream, the downstream where it is not the local broker, what is federated. Where the
// upstream's object has another name, that follows the upstream's, because a set may hold one upstream several times.
func (p pair) name() string {
	kind, object, there := "queues", "", p.upstream.Queue
	if p.exchange != nil {
		kind, object, there = "exchanges", p.exchange.Name, p.upstream.Exchange
	} else {
		object = p.queue.Name
	}
	name := p.upstream.Name
	if there != "" && there != object {
		name += ":" + there
	}
	if !p.local {
		name += "/" + p.to.name
	}
	return name + "/" + kind + "/" + object
}

// key names the buffer of a pair, whatever its link is called.
func (p pair) key() string { return p.from.name + " " + bufferName(p) }

// upstreamExchange is the name of the exchange at the upstream.
func (p pair) upstreamExchange() string { return cmp.Or(p.upstream.Exchange, p.exchange.Name) }

// spec is what exchange and queue links have in common. Source, Destination, Gate and Describe are theirs to fill in.
func (p pair) spec() link.Spec {
	s := p.upstream.UpstreamSettings
	return link.Spec{
		Name:           p.name(),
		Kind:           link.Federation,
		Site:           p.site,
		AckMode:        link.AckMode(s.AckMode),
		Window:         s.PrefetchCount,
		MemoryLimit:    int64(s.MemoryLimit),
		Reconnect:      link.Delays{Min: s.ReconnectDelay.Min, Max: s.ReconnectDelay.Max},
		ConfirmTimeout: s.ConfirmTimeout,
		DrainTimeout:   s.DrainTimeout,
		HoldLimit:      s.HoldLimit,
		Version:        p.version(),
	}
}

// version differs whenever anything differs that a link is made of.
func (p pair) version() string {
	federated := ""
	if p.exchange != nil {
		federated = fmt.Sprintf("%+v", *p.exchange)
	} else {
		federated = fmt.Sprintf("%+v", *p.queue)
	}
	return fmt.Sprintf("%q %q %q %q %+v %s", p.site, p.policy, p.from.version, p.to.version, p.upstream, federated)
}
