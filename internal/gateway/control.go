package gateway

import (
	"errors"
	"fmt"

	"weir/configs"
	"weir/link"
)

// These say that an operator asked for something that is not there.
var (
	ErrNoLink     = errors.New("no such link")
	ErrNoOverflow = errors.New("no overflow shovel")
)

// Pause drains a link and holds it until Resume. reason is shown in status; without one that of an earlier pause stays.
func (g *Gateway) Pause(name, reason string) (link.Status, error) {
	l, err := g.link(name)
	if err != nil {
		return link.Status{}, err
	}
	if s := l.Status(); reason == "" && s.State == link.Paused && s.Reason != "" {
		return s, nil // it says why already
	}
	if reason == "" {
		reason = "by hand"
	}
	g.Log.Info("link is paused by hand", "link", name, "reason", reason)
	l.Pause(reason)
	return l.Status(), nil
}

// Resume lets a link run that was paused, by hand or by itself.
func (g *Gateway) Resume(name string) (link.Status, error) {
	l, err := g.link(name)
	if err != nil {
		return link.Status{}, err
	}
	g.Log.Info("link is resumed by hand", "link", name)
	l.Resume()
	return l.Status(), nil
}

// Override switches the overflow of a shovel by hand, or gives it back to its thresholds (link.Auto).
func (g *Gateway) Override(name string, mode link.Mode) (link.Status, error) {
	l, err := g.link(name)
	if err != nil {
		return link.Status{}, err
	}
	if !l.Override(mode) {
		return link.Status{}, fmt.Errorf("%q has no thresholds to override: %w", name, ErrNoOverflow)
	}
	g.Log.Info("overflow is switched by hand", "link", name, "mode", mode)
	return l.Status(), nil
}

func (g *Gateway) link(name string) (*link.Link, error) {
	if l, ok := g.shovels.Link(name); ok {
		return l, nil
	}
	if l, ok := g.federation.Link(name); ok {
		return l, nil
	}
	var known []string
	for _, s := range g.statuses() {
		known = append(known, s.Name)
	}
	if near, ok := configs.Nearest(name, known); ok {
		return nil, fmt.Errorf("%w: %q; did you mean %q?", ErrNoLink, name, near)
	}
	return nil, fmt.Errorf("%w: %q", ErrNoLink, name)
}
