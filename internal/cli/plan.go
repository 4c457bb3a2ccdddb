package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/configs"
	"weir/internal/gateway"
)

func (a *app) planCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan [FILE]",
		Short: "Show how a configuration differs from what a weir runs, and what a reload would do",
		Long: `Show how a configuration differs from what a weir runs, and what a reload would do.

Lines begin with + (only in the file), - (only in force) or ~ (changed). Secrets are not compared: weir does not tell them.
Nor are variables that this shell does not have. Exit code 2 if there are differences.`,
		Args: named(cobra.MaximumNArgs(1)),
	}
	daemonFlags(cmd)
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = act(func(cmd *cobra.Command, args []string) error {
		if err := output.check(); err != nil {
			return err
		}
		file := ""
		if len(args) == 1 {
			file = args[0]
		} else {
			located, err := configs.Locate(cmd.Flags())
			if err != nil {
				return err
			}
			file = located
		}
		client := daemon(cmd)
		status, unanswered := client.Status(cmd.Context())
		wanted, err := shownConfig(file, status.Config.Settings)
		if err := cmp.Or(err, unanswered); err != nil { // mistakes in the file are told in any case
			return err
		}
		running, err := client.Config(cmd.Context())
		if err != nil {
			return err
		}
		p := newPlan(running, wanted)
		if output.is("json") {
			err = a.printJSON(p)
		} else {
			a.printPlan(p)
		}
		if err == nil && len(p.Differences) > 0 {
			return exit{exitDifferent, nil}
		}
		return err
	})
	return cmd
}

// missingVariable stands for a variable that only the environment of the service has.
const missingVariable = "***"

// shownConfig is what weir would show of a file if it ran it, with the flags and variables that it was started with.
func shownConfig(file string, settings []configs.Setting) (shown map[string]any, err error) {
	cfg, _, err := configs.Load(file, func(name string) (string, bool) {
		if value, ok := os.LookupEnv(name); ok {
			return value, true
		}
		return missingVariable, true
	}, settings...)
	if err != nil {
		return nil, exit{exitConfig, err}
	}
	text, err := json.Marshal(cfg.Redacted())
	if err != nil {
		return nil, err
	}
	return shown, json.Unmarshal(text, &shown)
}

// plan is how two configurations differ.
type plan struct {
	Differences []difference `json:"differences"`
	// Names of shovels. Those to restart drain first.
	Start   []string `json:"start"`
	Restart []string `json:"restart"`
	Stop    []string `json:"stop"`
	Keep    []string `json:"keep"`
	// Federation are the upstreams, sets and policies that differ, and brokers of theirs that do. Which links that concerns
	// depends on what exists on the brokers.
	Federation []string `json:"federation"`
	// Waiting are the keys that a reload leaves to the next start of the process.
	Waiting []string `json:"waiting-for-restart,omitempty"`
}

// difference is one place where they do.
type difference struct {
	Change string `json:"change"` // + - ~
	Path   string `json:"path"`
	From   any    `json:"from,omitempty"`
	To     any    `json:"to,omitempty"`
}

func newPlan(running, wanted map[string]any) plan {
	p := plan{
		Differences: []difference{}, Start: []string{}, Restart: []string{}, Stop: []string{}, Keep: []string{},
		Federation: federatedDifferences(running, wanted),
	}
	p.compare(nil, running, wanted)
	for _, d := range p.Differences {
		if key, is := gateway.AtRestart(d.Path); is && !slices.Contains(p.Waiting, key) {
			p.Waiting = append(p.Waiting, key)
		}
	}
	before, after := block(running, "shovels"), block(wanted, "shovels")
	for _, name := range slices.Sorted(maps.Keys(before)) {
		switch now, still := after[name]; {
		case !still:
			p.Stop = append(p.Stop, name)
		case !reflect.DeepEqual(before[name], now) || p.moved(now, running, wanted):
			p.Restart = append(p.Restart, name)
		default:
			p.Keep = append(p.Keep, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, known := before[name]; !known {
			p.Start = append(p.Start, name)
		}
	}
	return p
}

// federatedDifferences lists Federation of a plan.
func federatedDifferences(running, wanted map[string]any) []string {
	names := brokersOf(block(wanted, "upstreams"))
	for _, policy := range block(wanted, "policies") {
		if p, ok := policy.(map[string]any); ok {
			name, _ := p["downstream"].(string)
			names = append(names, name)
		}
	}
	places := []string{}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if was, known := block(running, "brokers")[name]; known && !reflect.DeepEqual(was, block(wanted, "brokers")[name]) {
			places = append(places, configs.Place("brokers", name))
		}
	}
	for _, part := range []string{"upstreams", "upstream-sets", "policies"} {
		before, after := block(running, part), block(wanted, part)
		keys := map[string]any{}
		maps.Copy(keys, before)
		maps.Copy(keys, after)
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			if !reflect.DeepEqual(before[name], after[name]) {
				places = append(places, configs.Place(part, name))
			}
		}
	}
	return places
}

// compare notes the differences below path. What is only on one side is noted as a whole.
func (p *plan) compare(path []string, running, wanted any) {
	before, isBlock := running.(map[string]any)
	after, isStill := wanted.(map[string]any)
	if !isBlock || !isStill {
		if !reflect.DeepEqual(running, wanted) {
			p.Differences = append(p.Differences, difference{"~", configs.Place(path...), running, wanted})
		}
		return
	}
	keys := maps.Clone(before)
	maps.Copy(keys, after)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		at := append(slices.Clone(path), key)
		was, had := before[key]
		is, has := after[key]
		switch {
		case !had:
			p.Differences = append(p.Differences, difference{"+", configs.Place(at...), nil, is})
		case !has:
			p.Differences = append(p.Differences, difference{"-", configs.Place(at...), was, nil})
		default:
			p.compare(at, was, is)
		}
	}
}

// moved tells whether a broker that a shovel uses has changed.
func (p *plan) moved(shovel any, running, wanted map[string]any) bool {
	return slices.ContainsFunc(brokersOf(shovel), func(name string) bool {
		return !reflect.DeepEqual(block(running, "brokers")[name], block(wanted, "brokers")[name])
	})
}

// brokersOf finds the brokers that a shovel names, wherever it does.
func brokersOf(v any) (names []string) {
	switch v := v.(type) {
	case map[string]any:
		if name, ok := v["broker"].(string); ok {
			names = append(names, name)
		}
		for _, inner := range v {
			names = append(names, brokersOf(inner)...)
		}
	case []any:
		for _, inner := range v {
			names = append(names, brokersOf(inner)...)
		}
	}
	return names
}

func block(m map[string]any, key string) map[string]any {
	inner, _ := m[key].(map[string]any)
	return inner
}

func (a *app) printPlan(p plan) {
	if len(p.Differences) == 0 {
		a.print("no differences")
		return
	}
	for _, d := range p.Differences {
		line := d.Change + " " + d.Path
		if d.Change == "~" {
			line += fmt.Sprintf(": %s -> %s", brieflyJSON(d.From), brieflyJSON(d.To))
		}
		a.print("%s", printable(line))
	}
	a.print("")
	for _, part := range []struct {
		word  string
		names []string
	}{{"start", p.Start}, {"restart", p.Restart}, {"stop", p.Stop}} {
		if len(part.names) > 0 {
			a.print("%-8s %s", part.word, printable(strings.Join(part.names, ", ")))
		}
	}
	a.print("%-8s %s", "keep", count(len(p.Keep), "shovel"))
	if len(p.Federation) > 0 {
		a.print("%-8s %s: federated links follow within seconds", "change", printable(strings.Join(p.Federation, ", ")))
	}
	if len(p.Waiting) > 0 {
		a.print("waits for a restart of weir: %s", strings.Join(p.Waiting, ", "))
	}
}

// brieflyJSON is a value as it stands in the file, or nearly so.
func brieflyJSON(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
