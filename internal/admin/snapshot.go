package admin

import (
	"strings"
	"time"

	"weir/configs"
	"weir/federation"
	"weir/internal/gateway"
	"weir/internal/telemetry"
	"weir/link"
)

// hopsShown bounds the hops on the page.
const hopsShown = 8

// Snapshot is all that the page shows at one moment.
type Snapshot struct {
	At      time.Time            `json:"at"`
	Site    string               `json:"site,omitempty"`
	Started time.Time            `json:"started"`
	Config  gateway.ConfigStatus `json:"config"`
	// Problems keep policies from making links at all.
	Problems []federation.Problem `json:"problems,omitempty"`
	Verdict  Verdict              `json:"verdict"`
	Writes   Writes               `json:"writes"`
	Local    string               `json:"local,omitempty"`
	Brokers  []gateway.Node       `json:"brokers"`
	Links    []Row                `json:"links"`
	Hops     []telemetry.Hop      `json:"hops"`
}

// Writes says whether the caller may change anything.
type Writes string

// What it may say.
const (
	WritesOff     Writes = "off"     // nobody may over HTTP: there is no token-file
	WritesLocked  Writes = "locked"  // with the token
	WritesAllowed Writes = "allowed" // this caller has shown it
)

// Row is a link, with what is told about it beside its own status.
type Row struct {
	link.Status
	Level   Level  `json:"level"`
	Meaning string `json:"meaning,omitempty"`
	// Using is that broker of To which takes the messages now, if any does.
	Using  string  `json:"using,omitempty"`
	Gauges []Gauge `json:"gauges,omitempty"`
}

// Gauge is a measured value between the thresholds that open and shut an overflow.
type Gauge struct {
	What  string   `json:"what"`            // as in the configuration: messages-ready, oldest-message, consumers-below
	Value *float64 `json:"value,omitempty"` // nil: not known
	Start float64  `json:"start"`
	Stop  float64  `json:"stop"`
}

func (a *api) snapshot(writes Writes) Snapshot {
	status, topology, cfg := a.gateway.Status(), a.gateway.Topology(), a.gateway.Config()
	s := Snapshot{
		At: time.Now(), Site: status.Site, Started: status.Started, Config: status.Config, Problems: status.Problems,
		Verdict: VerdictOf(status), Writes: writes, Local: topology.Local, Brokers: topology.Brokers,
		Links: make([]Row, len(status.Links)), Hops: list(a.hops.Recent(hopsShown)),
	}
	for i, l := range status.Links {
		s.Links[i] = Row{Status: l, Level: LevelOf(l.State), Meaning: meanings[l.State].text, Using: using(l)}
		if o := cfg.Shovels[l.Name].Overflow; o != nil && l.Overflow != nil {
			s.Links[i].Gauges = gauges(o, l.Overflow.Depth)
		}
	}
	return s
}

// using is the broker that a link's route leads to.
func using(l link.Status) (found string) {
	if len(l.To) == 1 {
		return l.To[0]
	}
	if l.Overflow != nil && !l.Overflow.Open {
		return ""
	}
	for _, name := range l.To {
		if strings.HasPrefix(l.Route, name+" ") && len(name) > len(found) {
			found = name
		}
	}
	return found
}

// gauges puts what was read beside what was declared.
func gauges(o *configs.Overflow, r link.Reading) (all []Gauge) {
	count := func(n *int64) *float64 {
		if n == nil {
			return nil
		}
		f := float64(*n)
		return &f
	}
	if t := o.MessagesReady; t != nil {
		all = append(all, Gauge{"messages-ready", count(r.Ready), float64(t.Start), float64(t.Stop)})
	}
	if t := o.OldestMessage; t != nil {
		all = append(all, Gauge{"oldest-message", r.OldestMin, t.Start.Seconds(), t.Stop.Seconds()})
	}
	if t := o.ConsumersBelow; t != nil {
		all = append(all, Gauge{"consumers-below", count(r.Consumers), float64(t.Start), float64(t.Stop)})
	}
	return all
}
