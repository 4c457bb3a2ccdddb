package federation

import (
	"context"
	"log/slog"

	"weir/broker"
	"weir/configs"
	"weir/link"
)

// Brokers finds a broker by the name it is declared under. version differs whenever its declaration does, so that links
// over a changed broker are restarted.
type Brokers func(name string) (b broker.Broker, version string)

// Federation runs the links that policies ask for.
type Federation struct {
	ctx context.Context // the life of its links
	log *slog.Logger
}

// New makes a Federation without links, which runs until ctx ends. Call Apply next, and Wait before leaving.
func New(ctx context.Context, log *slog.Logger) *Federation {
	return &Federation{ctx: ctx, log: log}
}

// Apply is both the first start and every reload: it touches only the links concerned, and returns at once. Links come
// when it is known what exists downstream.
func (f *Federation) Apply(cfg *configs.Config, brokers Brokers) {}

// Drained returns when every link that Apply has stopped or replaced so far has stopped: nothing uses their brokers any
// more.
func (f *Federation) Drained() {}

// Wait returns when everything has stopped, which it does when the context of New ends.
func (f *Federation) Wait() {}

// Link finds one by name.
func (f *Federation) Link(name string) (*link.Link, bool) { return nil, false }

// Statuses are snapshots of all links, by name.
func (f *Federation) Statuses() []link.Status { return nil }
