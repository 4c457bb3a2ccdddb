// Package gateway owns everything that runs: it turns a configuration into brokers and links, and keeps them as it says.
//
//	gateway.go   start, apply a configuration, stop
//	reload.go    another configuration, which changes only what differs
//	control.go   what an operator does to a link by hand
//	status.go    what is told about it
//	leftovers.go what federation has left on brokers
//	connect.go   looks at the brokers before anything runs
//	move.go      one link, once
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"weir/configs"
	"weir/federation"
	"weir/internal/brokers"
	"weir/link"
	"weir/shovel"
)

// Options are what a Gateway needs beside its configuration.
type Options struct {
	// File is the name of the configuration, for people.
	File string
	// Settings are what flags and environment variables say in its place, for people and for plans. Load knows them.
	Settings []configs.Setting
	// Load reads and checks the configuration again; Reload calls it.
	Load func() (*configs.Config, configs.Problems, error)
	// Open makes brokers of their declarations.
	Open brokers.Open
	Log  *slog.Logger
	// Level follows telemetry.logs.level. nil: nothing does.
	Level *slog.LevelVar
	// Observe makes the observer of a link of cfg, for traces. nil: there is none.
	Observe func(cfg *configs.Config, spec link.Spec) link.Observe
}

// ErrStopping is returned for what cannot be done any more.
var ErrStopping = errors.New("weir is stopping")

// Gateway runs the links of one configuration after another.
type Gateway struct {
	Options
	ctx        context.Context // the life of the links
	shovels    *link.Group
	federation *federation.Federation
	started    time.Time

	reloading chan struct{} // cap 1: holds the reload that is under way, so that the file read last ends up in force

	applying sync.Mutex // held while a configuration is applied, and from the stop on
	brokers  *brokers.Set
	retiring sync.WaitGroup // closes brokers that a reload has left behind

	mu     sync.Mutex      // guards what is shown
	first  *configs.Config // what the process was started with
	config *configs.Config // what is in force
	shown  ConfigStatus
}

// Start runs cfg until ctx ends; call Wait before leaving. A broker that cannot be reached does not matter: its links go
// on trying. The error says why the configuration cannot be run at all. warnings are what loading has found.
func Start(ctx context.Context, cfg *configs.Config, warnings configs.Problems, o Options) (*Gateway, error) {
	g := &Gateway{
		Options: o, ctx: ctx, first: cfg, started: time.Now(), reloading: make(chan struct{}, 1),
		shovels: link.NewGroup(ctx, o.Log), federation: federation.New(ctx, o.Log),
	}
	g.federation.Prepare = func(s *link.Spec) { g.observe(g.Config(), s) }
	if _, err := g.apply(cfg, warnings); err != nil {
		return nil, err
	}
	o.Log.Info("weir runs", "config", o.File, "site", cfg.Site, "brokers", len(cfg.Brokers),
		"shovels", len(cfg.Shovels), "policies", len(cfg.Policies))
	return g, nil
}

// apply makes cfg the configuration that runs, or changes nothing.
func (g *Gateway) apply(cfg *configs.Config, warnings configs.Problems) (link.Changes, error) {
	g.applying.Lock()
	defer g.applying.Unlock()
	if g.ctx.Err() != nil {
		return link.Changes{}, ErrStopping
	}
	before := g.brokers
	next, err := before.Next(g.ctx, cfg, g.Open, g.Log)
	if err != nil {
		return link.Changes{}, err
	}
	specs, err := shovel.Links(cfg, next.Find, g.Log)
	if err != nil {
		next.CloseExcept(before)
		return link.Changes{}, err
	}
	g.keepModes(specs)
	for i := range specs {
		g.observe(cfg, &specs[i])
	}
	changes := g.shovels.Apply(specs)
	g.applied(cfg, warnings) // before federation's links come, which are observed by what is in force
	g.federation.Apply(cfg, next.Find)
	g.brokers = next
	if before != nil {
		g.retiring.Go(func() {
			g.shovels.Drained()
			g.federation.Drained()
			before.CloseExcept(next)
		})
	}
	if g.Level != nil {
		_ = g.Level.UnmarshalText([]byte(cfg.Telemetry.Logs.Level)) // loading has checked the word
	}
	for _, w := range warnings {
		g.Log.Warn("configuration", "problem", w.String())
	}
	return changes, nil
}

func (g *Gateway) observe(cfg *configs.Config, spec *link.Spec) {
	if g.Observe != nil {
		spec.Observe = g.Observe(cfg, *spec)
	}
}

// keepModes carries over what a hand has switched, to links that start anew.
func (g *Gateway) keepModes(specs []link.Spec) {
	for _, spec := range specs {
		if spec.Switch == nil {
			continue
		}
		if l, ok := g.shovels.Link(spec.Name); ok {
			if o := l.Status().Overflow; o != nil {
				spec.Switch.Override(o.Mode)
			}
		}
	}
}

// Wait returns when, after ctx has ended, every link has stopped (drained, or past its drain-timeout) and every broker is
// closed.
func (g *Gateway) Wait() {
	<-g.ctx.Done()
	g.applying.Lock() // and never given back: a reload that comes now finds that it is too late
	defer g.applying.Unlock()
	g.shovels.Wait()
	g.federation.Wait()
	g.retiring.Wait()
	g.brokers.CloseExcept(nil)
}
