// Package brokers keeps the brokers of a configuration open, and across reloads those that have not changed.
package brokers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"

	"weir/broker"
	"weir/configs"
)

// Declared is a broker as the configuration has it.
type Declared struct {
	configs.Broker
	// ConfirmTimeout is the longest of any link when the broker is opened. A change of it alone opens no broker anew:
	// what was created with it stays as it is.
	ConfirmTimeout time.Duration
}

// Open makes a broker of its declaration. For brokers elsewhere it connects to nothing yet. close ends every connection
// and returns when nothing of the broker runs any more; it is called after the last session has been closed.
type Open func(ctx context.Context, d Declared, log *slog.Logger) (b broker.Broker, close func(), err error)

// ErrRestart says that a change cannot be made while the process runs.
var ErrRestart = errors.New("needs a restart of weir")

// Set is the brokers of one configuration. It does not change. The nil Set is empty.
type Set struct {
	number int // of the configuration, counted from 1
	open   map[string]*opened
}

type opened struct {
	declared configs.Broker
	broker   broker.Broker
	close    func()
	version  string
}

// Next makes the Set of another configuration: brokers that are declared as in s are the same ones, all others are
// opened. If one cannot be, nothing is left open that s does not have. An embedded broker that has changed is refused
// with ErrRestart: it would need the folder of the one that runs.
func (s *Set) Next(ctx context.Context, cfg *configs.Config, open Open, log *slog.Logger) (*Set, error) {
	next := &Set{number: 1, open: make(map[string]*opened, len(cfg.Brokers))}
	var before map[string]*opened
	if s != nil {
		next.number, before = s.number+1, s.open
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Brokers)) {
		d, old := Declare(cfg, name), before[name]
		switch {
		case old != nil && reflect.DeepEqual(old.declared, d.Broker):
			next.open[name] = old
			continue
		case inUse(before, d.DataDir):
			next.CloseExcept(s)
			return nil, fmt.Errorf("broker %s: a change of an embedded broker %w", name, ErrRestart)
		}
		b, closeIt, err := open(ctx, d, log)
		if err != nil {
			next.CloseExcept(s)
			return nil, fmt.Errorf("open broker %s: %w", name, err)
		}
		next.open[name] = &opened{declared: d.Broker, broker: b, close: closeIt, version: fmt.Sprintf("%s#%d", name, next.number)}
	}
	return next, nil
}

// Declare finds what a configuration says about a broker.
func Declare(cfg *configs.Config, name string) Declared {
	d := Declared{Broker: cfg.Brokers[name], ConfirmTimeout: cfg.Defaults.ConfirmTimeout}
	for _, s := range cfg.Shovels {
		d.ConfirmTimeout = max(d.ConfirmTimeout, s.ConfirmTimeout)
	}
	for _, u := range cfg.Upstreams {
		d.ConfirmTimeout = max(d.ConfirmTimeout, u.ConfirmTimeout)
	}
	return d
}

// inUse tells whether a broker in this process has its streams in that folder.
func inUse(open map[string]*opened, folder string) bool {
	for _, o := range open {
		if folder != "" && o.declared.DataDir == folder {
			return true
		}
	}
	return false
}

// Find is a shovel.Brokers. It returns nil for a name that is not declared.
func (s *Set) Find(name string) (broker.Broker, string) {
	o, ok := s.open[name]
	if !ok {
		return nil, ""
	}
	return o.broker, o.version
}

// CloseExcept closes the brokers that other does not have.
func (s *Set) CloseExcept(other *Set) {
	for name, o := range s.open {
		if other != nil && other.open[name] == o {
			continue
		}
		o.close()
	}
}
