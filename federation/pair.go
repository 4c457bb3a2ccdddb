package federation

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"weir/broker"
	"weir/configs"
	"weir/link"
)

// end is the broker at one side of a pair.
type end struct {
	name    string // as declared
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
}

// name is that of its link: the upstream, the downstream where it is not the local broker, what is federated.
func (p pair) name() string {
	kind, object := "exchanges", ""
	if p.queue != nil {
		kind, object = "queues", p.queue.Name
	} else {
		object = p.exchange.Name
	}
	if p.local {
		return p.upstream.Name + "/" + kind + "/" + object
	}
	return p.upstream.Name + "/" + p.to.name + "/" + kind + "/" + object
}

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
	settings, err := json.Marshal(struct {
		Upstream configs.Upstream
		Exchange *broker.Exchange
		Queue    *broker.Queue
	}{p.upstream, p.exchange, p.queue})
	if err != nil { // cannot be: it is plain data
		panic(err)
	}
	return fmt.Sprint(p.site, p.policy, p.from.version, p.to.version, string(settings))
}
