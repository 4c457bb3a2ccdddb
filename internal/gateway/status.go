package gateway

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"weir/configs"
	"weir/federation"
	"weir/link"
)

// Status is a snapshot of a Gateway.
type Status struct {
	Site    string        `json:"site,omitempty"`
	Started time.Time     `json:"started"`
	Config  ConfigStatus  `json:"config"`
	Links   []link.Status `json:"links"`
	// Problems keep policies from making links at all.
	Problems []federation.Problem `json:"problems,omitempty"`
}

// ConfigStatus says which configuration is in force.
type ConfigStatus struct {
	File string `json:"file"`
	// Settings are those that lie over the file's.
	Settings []configs.Setting `json:"settings,omitempty"`
	LoadedAt time.Time         `json:"loaded-at"`
	Warnings configs.Problems  `json:"warnings,omitempty"`
	// Waiting are the keys that have changed since the start of the process and take effect at the next.
	Waiting []string `json:"waiting-for-restart,omitempty"`
	// Rejected is why the last reload changed nothing. nil: it was applied.
	Rejected *Rejection `json:"rejected,omitempty"`
}

// Rejection is a configuration that was not applied.
type Rejection struct {
	At       time.Time        `json:"at"`
	Error    string           `json:"error"`
	Problems configs.Problems `json:"problems,omitempty"`
}

// Status returns a snapshot of everything.
func (g *Gateway) Status() Status {
	return Status{
		Site: g.Config().Site, Started: g.started, Config: g.configStatus(),
		Links: g.statuses(), Problems: g.federation.Problems(),
	}
}

// statuses are those of all links, by name.
func (g *Gateway) statuses() []link.Status {
	all := append(g.shovels.Statuses(), g.federation.Statuses()...)
	slices.SortStableFunc(all, func(a, b link.Status) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Link returns a snapshot of one link, or ErrNoLink.
func (g *Gateway) Link(name string) (link.Status, error) {
	l, err := g.link(name)
	if err != nil {
		return link.Status{}, err
	}
	return l.Status(), nil
}

// Ready returns nil once the configuration runs, until the stop begins. It says nothing about brokers: weir is there for
// when they are away.
func (g *Gateway) Ready() error {
	if g.ctx.Err() != nil {
		return ErrStopping
	}
	return nil
}

// Config is the configuration in force. Nobody may change it.
func (g *Gateway) Config() *configs.Config {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.config
}

func (g *Gateway) configStatus() ConfigStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shown
}

// Topology is the brokers and the links between them, for pictures.
type Topology struct {
	Site    string `json:"site,omitempty"`
	Local   string `json:"local,omitempty"`
	Brokers []Node `json:"brokers"`
	Links   []Edge `json:"links"`
}

// Node is one declared broker.
type Node struct {
	Name  string             `json:"name"`
	Type  configs.BrokerType `json:"type"`
	VHost string             `json:"vhost"`
	URIs  []string           `json:"uris,omitempty"`
}

// Edge is one link, by the names of brokers.
type Edge struct {
	Name  string     `json:"name"`
	Kind  link.Kind  `json:"kind"`
	State link.State `json:"state"`
	From  string     `json:"from"`
	To    []string   `json:"to"` // in order of preference
}

// Topology returns the brokers and links in force, by name.
func (g *Gateway) Topology() Topology {
	cfg := g.Config()
	t := Topology{Site: cfg.Site, Local: cfg.Local, Brokers: []Node{}, Links: []Edge{}}
	for _, name := range slices.Sorted(maps.Keys(cfg.Brokers)) {
		b := cfg.Brokers[name]
		t.Brokers = append(t.Brokers, Node{Name: name, Type: b.Type, VHost: b.VHost, URIs: b.URIs})
	}
	for _, s := range g.statuses() {
		t.Links = append(t.Links, Edge{Name: s.Name, Kind: s.Kind, State: s.State, From: s.From, To: s.To})
	}
	return t
}
