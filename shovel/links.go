package shovel

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"weir/broker"
	"weir/configs"
	"weir/link"
)

// Brokers finds a broker by the name it is declared under. version differs whenever its declaration does, so that links
// over a changed broker are restarted.
type Brokers func(name string) (b broker.Broker, version string)

// Links makes a link of each declared shovel, in order of their names.
func Links(cfg *configs.Config, brokers Brokers, log *slog.Logger) ([]link.Spec, error) {
	specs := make([]link.Spec, 0, len(cfg.Shovels))
	for _, name := range slices.Sorted(maps.Keys(cfg.Shovels)) {
		b := builder{site: cfg.Site, shovel: cfg.Shovels[name], brokers: brokers, log: log.With("link", name)}
		spec, err := b.spec()
		if err != nil {
			return nil, fmt.Errorf("shovel %s: %w", name, err)
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// builder makes one Spec.
type builder struct {
	site     string
	shovel   configs.Shovel
	brokers  Brokers
	log      *slog.Logger
	versions []string // of the brokers it uses
}

func (b *builder) spec() (link.Spec, error) {
	s := &b.shovel
	source := b.watch(s.Source.Broker, sourceAddress(b.site, b.shovel))
	choice := newChoice(b.places(source), delays(s.ReconnectDelay), b.log)
	spec := link.Spec{
		Name: s.Name,
		Kind: link.Shovel,
		Site: b.site,
		Source: link.Origin{Name: source.Name, Broker: source.Broker, At: source.At, Options: broker.SourceOptions{
			Predeclared:  s.Source.Predeclared,
			DeclareArgs:  table(s.Source.QueueArgs),
			ConsumerArgs: table(s.Source.ConsumerArgs),
		}},
		Destination:    choice,
		AckMode:        link.AckMode(s.AckMode),
		Window:         s.Source.PrefetchCount,
		MemoryLimit:    int64(s.MemoryLimit),
		RateLimit:      float64(s.RateLimit),
		DeleteAfter:    int64(s.DeleteAfter),
		OnRefused:      b.recourse(s.OnRefused),
		OnUnroutable:   b.recourse(s.OnUnroutable),
		Reconnect:      delays(s.ReconnectDelay),
		ConfirmTimeout: s.ConfirmTimeout,
		DrainTimeout:   s.DrainTimeout,
		HoldLimit:      s.HoldLimit,
		Paused:         s.Paused,
	}
	if len(choice.places) == 1 && !choice.watched() {
		spec.Destination = choice.places[0]
	}
	if err := b.gates(&spec, source, choice); err != nil {
		return spec, err
	}
	declared, err := json.Marshal(s)
	if err != nil {
		return spec, err
	}
	spec.Version = fmt.Sprint(b.site, b.versions, string(declared))
	return spec, nil
}

// gates puts the gates that the shovel declares in front of each other: owner, overflow, room.
func (b *builder) gates(spec *link.Spec, source Watch, choice *choice) error {
	var gates []link.Gate
	if b.shovel.SingleOwner {
		locker, ok := source.Broker.(broker.Locker)
		if !ok {
			return fmt.Errorf("single-owner on broker %s: %w", source.Name, broker.ErrUnsupported)
		}
		gates = append(gates, &owner{broker: locker, name: b.site + "/" + b.shovel.Name})
	}
	if o := b.shovel.Overflow; o != nil {
		spec.Kind = link.Overflow
		thresholds := thresholds(o)
		overflow := NewOverflow(b.overflowWatch(o.Watch, source), thresholds, choice.route, b.log)
		spec.Switch = overflow
		spec.NowhereDelay = o.For
		spec.MaxWindow = overflowWindow(thresholds)
		gates = append(gates, overflow)
	}
	if choice.watched() {
		gates = append(gates, choice)
	}
	for _, g := range gates {
		if spec.Gate != nil {
			g = link.Both(spec.Gate, g)
		}
		spec.Gate = g
	}
	return nil
}

// overflowWindow bounds the automatic window of an overflow shovel to a quarter of the way from start to stop: what is in
// flight when the gate shuts leaves too, and should not take the queue far below its stop.
func overflowWindow(t Thresholds) int {
	if t.Ready == nil {
		return 0
	}
	return int(max(64, min(10_000, (t.Ready.Start-t.Ready.Stop)/4)))
}

func thresholds(o *configs.Overflow) Thresholds {
	t := Thresholds{All: o.Match == configs.MatchAll, For: o.For}
	if r := o.MessagesReady; r != nil {
		t.Ready = &CountThreshold{r.Start, r.Stop}
	}
	if a := o.OldestMessage; a != nil {
		t.Oldest = &AgeThreshold{a.Start, a.Stop}
	}
	if c := o.ConsumersBelow; c != nil {
		t.ConsumersBelow = &CountThreshold{c.Start, c.Stop}
	}
	return t
}

func (b *builder) places(source Watch) []*place {
	s := &b.shovel
	all := make([]*place, 0, len(s.Destinations))
	for _, d := range s.Destinations {
		at := destinationAddress(d)
		to := b.watch(d.Broker, at)
		p := &place{
			To: link.To{Name: to.Name, Broker: to.Broker, At: at, Options: broker.SinkOptions{
				Predeclared:   d.Predeclared,
				DeclareArgs:   table(d.QueueArgs),
				DeduplicateBy: string(d.DeduplicateBy),
			}},
			stamp: stamp{
				forwardHeaders: d.AddForwardHeaders,
				timestamp:      d.AddTimestampHeader,
				trustUserID:    s.TrustUserID,
				properties:     publishProperties(d.PublishProperties),
				shovel:         s.Name,
				site:           b.site,
				source:         source.At,
				dest:           at,
			},
			maxHops: s.MaxHops,
			source:  source,
		}
		if r := d.Room; r != nil {
			p.room = &room{
				watch:  b.declaredWatch(r.Watch),
				stop:   r.MessagesReady.Stop,
				resume: r.MessagesReady.Resume,
				hold:   r.For,
				log:    b.log,
			}
		}
		all = append(all, p)
	}
	return all
}

func (b *builder) recourse(f configs.Fallback) link.Recourse {
	r := link.Recourse{Attempts: f.Attempts, Then: link.Action(f.Then)}
	if d := f.DeadLetter; d != nil {
		at := deadLetterAddress(*d)
		to := b.watch(d.Broker, at)
		r.DeadLetter = link.To{Name: to.Name, Broker: to.Broker, At: at}
	}
	return r
}

// watch resolves a broker's name, and notes that the shovel depends on it.
func (b *builder) watch(name string, at broker.Address) Watch {
	found, version := b.brokers(name)
	b.versions = append(b.versions, version)
	return Watch{Name: name, Broker: found, At: at}
}

func (b *builder) declaredWatch(w configs.Watch) Watch {
	return b.watch(w.Broker, watchAddress(w))
}

// overflowWatch is what the thresholds are held against: what is declared, or the source itself.
func (b *builder) overflowWatch(w configs.Watch, source Watch) Watch {
	if w.Queue == "" && w.Stream == "" {
		return source
	}
	return b.declaredWatch(w)
}

func delays(d configs.Delay) link.Delays { return link.Delays{Min: d.Min, Max: d.Max} }
