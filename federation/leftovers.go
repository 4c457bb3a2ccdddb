package federation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"weir/broker"
	"weir/configs"
)

// Leftover is a buffer of this site at an upstream that no policy asks for any more.
type Leftover struct {
	// Broker is where it is, by the name it is declared under.
	Broker string `json:"broker"`
	// Buffer is its name, Exchange what it was bound to, as far as the broker tells.
	Buffer   string `json:"buffer"`
	Exchange string `json:"exchange,omitempty"`
	// Messages are those that wait in it.
	Messages broker.Count `json:"messages"`
}

// Leftovers lists what this site's federation has left on the brokers of the configuration in force. The error names
// the brokers that could not be asked; the list holds what the others said.
func (f *Federation) Leftovers(ctx context.Context) ([]Leftover, error) {
	cfg, upstreams := f.asked()
	if cfg == nil || cfg.Site == "" { // without which there is no federation
		return nil, nil
	}
	known, unknown := f.wanted()
	var (
		all      []Leftover
		problems []error
	)
	for name, answer := range listAll(ctx, upstreams) {
		if errors.Is(answer.err, broker.ErrUnsupported) && !isUpstream(cfg, name) {
			continue // nothing of weir's own can be there
		}
		if answer.err != nil {
			problems = append(problems, fmt.Errorf("buffers on %s: %w", name, answer.err))
			continue
		}
		for _, w := range answer.listed {
			mine := isFor(w.Name, cfg.Site+"/") || isFor(w.Name, cfg.Site+":")
			undecided := slices.ContainsFunc(unknown, func(t string) bool { return isFor(w.Name, t) })
			if mine && !undecided && !known[buffered{name, baseOf(w.Name)}] {
				all = append(all, Leftover{Broker: name, Buffer: w.Name, Exchange: w.Exchange, Messages: w.Messages})
			}
		}
	}
	for _, t := range unknown {
		problems = append(problems, fmt.Errorf("buffers for %s are left out: it is not known yet what exists there", strings.TrimSuffix(t, "/")))
	}
	slices.SortFunc(all, func(a, b Leftover) int {
		return cmp.Or(cmp.Compare(a.Broker, b.Broker), cmp.Compare(a.Buffer, b.Buffer))
	})
	slices.SortFunc(problems, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return all, broker.Join(problems...)
}

// listing is what one upstream says is there.
type listing struct {
	listed []broker.Waiting
	err    error
}

// listAll asks all upstreams at a time, so that one which is silent takes no other's.
func listAll(ctx context.Context, upstreams map[string]*upstream) map[string]*listing {
	answers := make(map[string]*listing, len(upstreams))
	var asking sync.WaitGroup
	for name, u := range upstreams {
		answer := &listing{}
		answers[name] = answer
		asking.Go(func() { answer.listed, answer.err = u.waiting(ctx, 0) })
	}
	asking.Wait()
	return answers
}

// Remove takes one away. Unless force, one that holds messages or has a consumer stays: broker.ErrInUse. So does, always,
// one that a policy asks for by now.
func (f *Federation) Remove(ctx context.Context, l Leftover, force bool) error {
	_, upstreams := f.asked()
	u, ok := upstreams[l.Broker]
	if !ok {
		return fmt.Errorf("broker %s: it is not declared: %w", l.Broker, broker.ErrNotFound)
	}
	d, ok := u.broker.(broker.Disposer)
	if !ok {
		return fmt.Errorf("delete a buffer on broker %s: %w", l.Broker, broker.ErrUnsupported)
	}
	if known, _ := f.wanted(); known[buffered{l.Broker, baseOf(l.Buffer)}] {
		return fmt.Errorf("buffer %s: a policy asks for it: %w", l.Buffer, broker.ErrInUse)
	}
	return d.DeleteBuffer(ctx, l.Buffer, force)
}

// buffered names a buffer on a broker, without its generation.
type buffered struct{ broker, base string }

func (f *Federation) asked() (*configs.Config, map[string]*upstream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.config, f.upstreams
}

func isUpstream(cfg *configs.Config, name string) bool {
	for _, u := range cfg.Upstreams {
		if u.Broker == name {
			return true
		}
	}
	return false
}

// wanted are the buffers that are asked for, and the targets of downstreams of which it is not known yet.
func (f *Federation) wanted() (known map[buffered]bool, unknown []string) {
	known = map[buffered]bool{}
	for _, d := range f.all() {
		d.mu.Lock()
		if d.watch != nil && d.have == nil {
			unknown = append(unknown, target(d.plan.site, d.plan.to, d.plan.local))
		}
		for _, m := range d.mirrors {
			known[buffered{m.pair.from.name, m.base}] = true
		}
		d.mu.Unlock()
	}
	return known, unknown
}
