package shovel

import (
	"context"
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
	choice := newChoice(b.places(source), link.Delays(s.ReconnectDelay), b.log)
	spec := link.Spec{
		Name: s.Name,
		Kind: link.Shovel,
		Site: b.site,
		Source: link.Origin{Name: source.name, Broker: source.broker, At: source.at, Options: broker.SourceOptions{
			Predeclared:  s.Source.Predeclared,
			DeclareArgs:  table(s.Source.QueueArgs),
			ConsumerArgs: table(s.Source.ConsumerArgs),
		}},
		Destination:    choice,
		AckMode:        link.AckMode(s.AckMode),
		Window:         s.Source.PrefetchCount,
		MaxWindow:      maxWindow(b.shovel),
		MemoryLimit:    int64(s.MemoryLimit),
		RateLimit:      float64(s.RateLimit),
		DeleteAfter:    int64(s.DeleteAfter),
		OnRefused:      b.recourse(s.OnRefused),
		OnUnroutable:   b.recourse(s.OnUnroutable),
		Reconnect:      link.Delays(s.ReconnectDelay),
		ConfirmTimeout: s.ConfirmTimeout,
		DrainTimeout:   s.DrainTimeout,
		HoldLimit:      s.HoldLimit,
		Heartbeat:      s.HeartbeatInterval,
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
func (b *builder) gates(spec *link.Spec, source watch, choice *choice) error {
	if b.shovel.SingleOwner {
		locker, ok := source.broker.(broker.Locker)
		if !ok {
			return fmt.Errorf("single-owner on broker %s: %w", source.name, broker.ErrUnsupported)
		}
		spec.Owner = &owner{at: source.name, broker: locker, name: b.site + "/" + b.shovel.Name}
	}
	if o := b.shovel.Overflow; o != nil {
		spec.Kind = link.Overflow
		t := declaredThresholds(o)
		overflow := newOverflow(b.overflowWatch(o.Watch, spec.Source), t, choice.survey, b.log)
		spec.Switch = overflow
		spec.NowhereDelay = o.For
		if overflow.watch.name == source.name && overflow.watch.at == source.at {
			spec.Depth, spec.Stranded = overflow.reading, overflow.stranded.note
		}
		for _, p := range choice.places {
			p.budgets = append(p.budgets, overflow.budget)
		}
		spec.Gate = overflow
	}
	switch {
	case choice.watched() && spec.Gate != nil:
		spec.Gate = link.Both(spec.Gate, rooms{choice})
	case choice.watched():
		spec.Gate = rooms{choice}
	}
	return nil
}

// maxWindow bounds the automatic window to a quarter of the way between a threshold's start and stop, or a room's stop
// and resume: what is in flight when a gate shuts arrives too, and should neither take a queue far below its stop nor
// another far above. 0: no bound.
func maxWindow(s configs.Shovel) int {
	most := int64(0)
	bound := func(way int64) {
		if w := max(64, way/4); most == 0 || w < most {
			most = w
		}
	}
	if o := s.Overflow; o != nil && o.MessagesReady != nil {
		bound(o.MessagesReady.Start - o.MessagesReady.Stop)
	}
	for _, d := range s.Destinations {
		if r := d.Room; r != nil {
			bound(r.MessagesReady.Stop - r.MessagesReady.Resume)
		}
	}
	return int(min(most, 10_000))
}

func declaredThresholds(o *configs.Overflow) thresholds {
	t := thresholds{all: o.Match == configs.MatchAll, hold: o.For}
	if r := o.MessagesReady; r != nil {
		t.ready = &countThreshold{r.Start, r.Stop}
	}
	if a := o.OldestMessage; a != nil {
		t.oldest = &ageThreshold{a.Start, a.Stop}
	}
	if c := o.ConsumersBelow; c != nil {
		t.consumersBelow = &countThreshold{c.Start, c.Stop}
	}
	return t
}

func (b *builder) places(source watch) []*place {
	s := &b.shovel
	all := make([]*place, 0, len(s.Destinations))
	for _, d := range s.Destinations {
		at := destinationAddress(d)
		to := b.watch(d.Broker, at)
		p := &place{
			To: link.To{Name: to.name, Broker: to.broker, At: at, Options: broker.SinkOptions{
				Predeclared:   d.Predeclared,
				DeclareArgs:   table(d.QueueArgs),
				DeduplicateBy: string(d.DeduplicateBy),
			}},
			stamp: stamp{
				hop:            s.MaxHops > 0,
				emptyKey:       emptyKey(d.RoutingKey),
				forwardHeaders: d.AddForwardHeaders,
				timestamp:      d.AddTimestampHeader,
				trustUserID:    s.TrustUserID,
				properties:     publishProperties(d.PublishProperties),
				shovel:         s.Name,
				site:           b.site,
				source:         source.at,
				dest:           at,
			},
			maxHops: s.MaxHops,
			source:  source,
		}
		if r := d.Room; r != nil {
			w := b.declaredWatch(r.Watch)
			w.made = w.name == to.name && w.at == at && !d.Predeclared
			p.room = &room{
				watch:  w,
				stop:   r.MessagesReady.Stop,
				resume: r.MessagesReady.Resume,
				hold:   r.For,
				log:    b.log,
				budget: newBudget(),
			}
			p.budgets = append(p.budgets, p.room.budget)
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
		r.DeadLetter = &place{
			To:    link.To{Name: to.name, Broker: to.broker, At: at},
			stamp: stamp{trustUserID: b.shovel.TrustUserID, emptyKey: emptyKey(d.RoutingKey)},
		}
	}
	return r
}

// watch resolves a broker's name, and notes that the shovel depends on it.
func (b *builder) watch(name string, at broker.Address) watch {
	found, version := b.brokers(name)
	b.versions = append(b.versions, version)
	return watch{name: name, broker: found, at: at}
}

func (b *builder) declaredWatch(w configs.Watch) watch {
	return b.watch(w.Broker, watchAddress(w))
}

// overflowWatch is what the thresholds are held against: what is declared, or the source itself. The queue that an
// exchange is read through is declared and bound by opening the source once.
func (b *builder) overflowWatch(w configs.Watch, source link.Origin) watch {
	if w.Queue != "" || w.Stream != "" {
		return b.declaredWatch(w)
	}
	itself := watch{name: source.Name, broker: source.Broker, at: source.At}
	if source.At.Exchange != "" {
		itself.declare = func(ctx context.Context) error {
			o := source.Options
			o.Link, o.Site, o.Window = b.shovel.Name, b.site, 1
			opened, err := source.Broker.OpenSource(ctx, source.At, o)
			if err != nil {
				return err
			}
			return opened.Close()
		}
	}
	return itself
}
