package gateway

import (
	"errors"
	"strings"
	"time"

	"weir/configs"
	"weir/link"
)

// Changes is what a reload did.
type Changes struct {
	// Names of shovels, sorted. Those restarted drain first.
	Started   []string `json:"started"`
	Restarted []string `json:"restarted"`
	Stopped   []string `json:"stopped"`
	Kept      []string `json:"kept"`
	// Federation are the upstreams, upstream sets and policies that have changed, come or gone, and brokers of theirs that have
	// changed. Links follow within seconds: which they are depends on what exists on the brokers.
	Federation []string `json:"federation"`
	// Waiting are the keys that have changed and take effect at the next start of the process.
	Waiting  []string         `json:"waiting-for-restart,omitempty"`
	Warnings configs.Problems `json:"warnings,omitempty"`
}

// Reload reads the configuration again and applies what differs. With any mistake in it nothing changes; the error is
// then of type configs.Problems, or says why it could not be read or applied.
func (g *Gateway) Reload() (Changes, error) {
	g.reloading <- struct{}{}
	defer func() { <-g.reloading }()
	cfg, warnings, err := g.Load()
	var done link.Changes
	before := g.Config()
	if err == nil {
		done, err = g.apply(cfg, warnings)
	}
	if err != nil {
		g.reject(err)
		return Changes{}, err
	}
	c := Changes{
		Started:    names(done.Started),
		Restarted:  names(done.Restarted),
		Stopped:    names(done.Stopped),
		Kept:       names(done.Kept),
		Federation: names(federatedChanges(before, cfg)),
		Waiting:    g.configStatus().Waiting,
		Warnings:   warnings,
	}
	g.Log.Info("configuration reloaded", "started", c.Started, "restarted", c.Restarted, "stopped", c.Stopped, "kept", len(c.Kept),
		"federation", c.Federation)
	if len(c.Waiting) > 0 {
		g.Log.Warn("changed settings wait for a restart of weir", "settings", c.Waiting)
	}
	return c, nil
}

// names makes an empty list of none, for JSON.
func names(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// applied notes for status that cfg is in force.
func (g *Gateway) applied(cfg *configs.Config, warnings configs.Problems) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.config = cfg
	g.shown = ConfigStatus{
		File: g.File, Settings: g.Settings, LoadedAt: time.Now(), Warnings: warnings, Waiting: waiting(g.first, cfg),
	}
}

// reject logs, and notes for status, why a configuration was not applied.
func (g *Gateway) reject(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shown.Rejected = &Rejection{At: time.Now(), Error: err.Error()}
	var problems configs.Problems
	if !errors.As(err, &problems) {
		g.Log.Error("reload refused, the configuration before stays in force", "error", err)
		return
	}
	g.shown.Rejected.Problems = problems
	for _, p := range problems {
		g.Log.Error("reload refused, the configuration before stays in force", "problem", p.String())
	}
}

// Settings of the process, which take effect when it starts.
const (
	adminKey  = "admin"
	formatKey = "telemetry.logs.format"
	tracesKey = "telemetry.traces"
)

// waiting names those in which cfg differs from what the process was started with.
func waiting(first, cfg *configs.Config) []string {
	var keys []string
	if first.Admin != cfg.Admin {
		keys = append(keys, adminKey)
	}
	if first.Telemetry.Logs.Format != cfg.Telemetry.Logs.Format {
		keys = append(keys, formatKey)
	}
	if first.Telemetry.Traces != cfg.Telemetry.Traces {
		keys = append(keys, tracesKey)
	}
	return keys
}

// AtRestart finds, for a place in the configuration, the key that a reload leaves to the next start of the process.
func AtRestart(place string) (key string, is bool) {
	for _, key := range []string{adminKey, formatKey, tracesKey} {
		if place == key || strings.HasPrefix(place, key+".") {
			return key, true
		}
	}
	return "", false
}
