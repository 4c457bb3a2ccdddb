package shovel_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// Each file in testdata/decisions is a section overflow: and then a story, a line for each stretch of time: what the broker
// says or a hand does, and behind the bar what came of it.
func TestDecisions(t *testing.T) {
	files, err := filepath.Glob("testdata/decisions/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			told := tell(t, string(text))
			switch {
			case told == string(text):
			case *update:
				if err := os.WriteFile(file, []byte(told), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("the story of %s goes otherwise (-update accepts it):\n%s", file, told)
			}
		})
	}
}

// tell plays a story and returns it with what came of it.
func tell(t *testing.T, text string) (told string) {
	declared, story, ok := strings.Cut(text, "\n\n")
	if !ok {
		t.Fatal("no empty line after the thresholds")
	}
	var yaml strings.Builder
	for line := range strings.Lines(declared) {
		yaml.WriteString("      " + line)
	}
	var out strings.Builder
	inWorld(t, func(w *world) {
		teller := &teller{Broker: w.eu}
		w.brokers["eu"] = teller
		specs := w.specs("  x:\n    source: {queue: orders}\n    destinations: [{broker: us, queue: orders}]\n    overflow:\n" + yaml.String())
		g := guard(w, specs[0])
		w.after(10 * time.Millisecond)
		for line := range strings.Lines(story) {
			line = strings.TrimRight(line, "\n")
			input, _, _ := strings.Cut(line, "|")
			input = strings.TrimSpace(input)
			if input == "" || strings.HasPrefix(input, "#") {
				out.WriteString(line + "\n")
				continue
			}
			words := strings.Fields(input)
			lasts, err := time.ParseDuration(words[0])
			if err != nil {
				w.Fatal(err)
			}
			facts := map[string]string{}
			for _, word := range words[1:] {
				key, value, _ := strings.Cut(word, "=")
				facts[key] = value
			}
			for key, value := range facts {
				if key != "hand" && key != "link" {
					teller.say(w.T, key, value)
				}
			}
			if mode, ok := facts["hand"]; ok {
				specs[0].Switch.Override(link.Mode(mode))
			}
			if state, ok := facts["link"]; ok {
				g.run(state == "runs")
			}
			w.after(lasts + 10*time.Millisecond) // so that no reading falls together with a change
			fmt.Fprintf(&out, "%-44s | %s\n", input, g.result())
		}
	})
	return declared + "\n\n" + out.String()
}

// guarded is a gate that is used as a link does.
type guarded struct {
	w        *world
	spec     link.Spec
	stop     context.CancelFunc
	stopped  sync.WaitGroup
	switches int64
}

func guard(w *world, spec link.Spec) *guarded {
	g := &guarded{w: w, spec: spec}
	g.run(true)
	w.Cleanup(func() { g.run(false) })
	return g
}

// run passes the gate again and again, or no longer.
func (g *guarded) run(on bool) {
	if g.stop != nil {
		g.stop()
		g.stopped.Wait()
		g.stop = nil
	}
	if !on {
		return
	}
	var ctx context.Context
	ctx, g.stop = context.WithCancel(g.w.Context())
	g.stopped.Go(func() {
		for {
			open, done, err := g.spec.Gate.Open(ctx)
			if err != nil {
				return
			}
			<-open.Done()
			done()
		}
	})
}

// result says whether the gate is open, and since the last time why it changed.
func (g *guarded) result() string {
	o := g.spec.Switch.Overflow()
	result := "open"
	if _, why := g.spec.Gate.Shut(); why != "" {
		result = "shut: " + why
	}
	if o.Switches != g.switches {
		g.switches = o.Switches
		d := o.Decisions[0]
		result += fmt.Sprintf("  <- decided on %q", d.Why)
	}
	return result
}

// teller is a broker that says of its queues what a test wants.
type teller struct {
	*memory.Broker
	mu    sync.Mutex
	depth broker.Depth
	err   error
}

func (b *teller) Depth(context.Context, broker.Address) (broker.Depth, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.depth
	d.At = time.Now()
	return d, b.err
}

// say sets a figure: 12, ? for unknown, 3s or for bounds of an age 3s..9s.
func (b *teller) say(t *testing.T, key, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := func() broker.Count {
		if value == "?" {
			return broker.Count{}
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return broker.Counted(n)
	}
	age := func(value string) broker.Age {
		if value == "?" {
			return broker.Age{}
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			t.Fatal(err)
		}
		return broker.Aged(d)
	}
	switch key {
	case "ready":
		b.depth.Ready = count()
	case "consumers":
		b.depth.Consumers = count()
	case "oldest":
		least, most, bounds := strings.Cut(value, "..")
		if !bounds {
			most = least
		}
		b.depth.OldestAtLeast, b.depth.OldestAtMost = age(least), age(most)
	case "broker":
		b.err = nil
		if value == "away" {
			b.err = errors.New("connection refused")
		}
	default:
		t.Fatalf("no fact %q", key)
	}
}
