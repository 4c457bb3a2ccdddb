package shovel_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/link"
	"weir/shovel"
	"weir/tests/transcript"
)

// world is three regions in memory, and a gateway in the first. It lives in a synctest bubble.
type world struct {
	*testing.T
	eu, us, ap *memory.Broker
	brokers    map[string]broker.Broker
	group      *link.Group
	log        *record
}

// inWorld runs a test on the fake clock.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, eu: memory.New("eu"), us: memory.New("us"), ap: memory.New("ap"), log: &record{}}
		w.brokers = map[string]broker.Broker{"eu": w.eu, "us": w.us, "ap": w.ap}
		w.group = link.NewGroup(t.Context(), slog.New(slog.NewTextHandler(w.log, nil)))
		t.Cleanup(func() { // the context has ended by then
			w.group.Wait()
			if t.Failed() {
				t.Logf("log:\n%s", w.log)
			}
		})
		for _, b := range []*memory.Broker{w.eu, w.us, w.ap} {
			b.Declare("orders", memory.Queue{})
			b.DeclareExchange("orders", memory.Fanout)
			b.Bind("orders", "orders", "")
		}
		test(w)
	})
}

// topology is what stands before the shovels of a test.
const topology = `
version: 1
site: eu
local: eu
brokers:
  eu: {type: nats, uris: ["nats://eu:4222"]}
  us: {type: nats, uris: ["nats://us:4222"]}
  ap: {type: nats, uris: ["nats://ap:4222"]}
shovels:
`

// parse reads shovels as an operator writes them.
func parse(t *testing.T, shovels string) *configs.Config {
	t.Helper()
	text := topology + strings.ReplaceAll(shovels, "\t", "  ")
	none := func(string) (string, bool) { return "", false }
	cfg, _, err := configs.Parse("weir.yaml", []byte(text), none)
	if err != nil {
		t.Fatalf("configuration: %v\n%s", err, text)
	}
	return cfg
}

// specs makes the links of shovels.
func (w *world) specs(shovels string) []link.Spec {
	w.Helper()
	find := func(name string) (broker.Broker, string) { return w.brokers[name], name }
	specs, err := shovel.Links(parse(w.T, shovels), find, slog.New(slog.NewTextHandler(w.log, nil)))
	if err != nil {
		w.Fatal(err)
	}
	return specs
}

// run runs shovels until the test ends.
func (w *world) run(shovels string) {
	w.Helper()
	w.group.Apply(w.specs(shovels))
}

// link is the one of that name.
func (w *world) link(name string) *link.Link {
	w.Helper()
	l, ok := w.group.Link(name)
	if !ok {
		w.Fatalf("no link %q", name)
	}
	return l
}

// status is what an operator sees of the only shovel.
func (w *world) status() link.Status {
	w.Helper()
	all := w.group.Statuses()
	if len(all) != 1 {
		w.Fatalf("%d links, want one", len(all))
	}
	return all[0]
}

// after lets time pass.
func (w *world) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// within waits, at most so long, until something is so.
func (w *world) within(limit time.Duration, what string, is func() bool) {
	w.Helper()
	for began := time.Now(); ; w.after(max(10*time.Millisecond, limit/1000)) {
		if is() {
			return
		}
		if time.Since(began) >= limit {
			w.Fatalf("not within %v: %s\nstatus: %+v", limit, what, w.group.Statuses())
		}
	}
}

// always checks for so long that something is so.
func (w *world) always(d time.Duration, what string, is func() bool) {
	w.Helper()
	for began := time.Now(); time.Since(began) < d; w.after(max(10*time.Millisecond, d/200)) {
		if !is() {
			w.Fatalf("after %v no longer: %s\nstatus: %+v", time.Since(began), what, w.group.Statuses())
		}
	}
}

// consume takes some messages every so often, as an application does, until the test ends.
func (w *world) consume(b *memory.Broker, queue string, n int, every time.Duration) *consumer {
	c := &consumer{}
	var working sync.WaitGroup
	working.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.took(b.Take(queue, n))
			case <-w.Context().Done():
				return
			}
		}
	})
	w.Cleanup(working.Wait)
	return c
}

type consumer struct {
	mu       sync.Mutex
	messages []*broker.Message
}

func (c *consumer) took(ms []*broker.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, ms...)
}

// n is how many.
func (c *consumer) n() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.messages)
}

func (c *consumer) got() []*broker.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.messages)
}

// orders are n bodies that tell where they come from and in which order.
func orders(from string, n int) []string {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprintf("%s-%05d", from, i)
	}
	return bodies
}

// depth is how many messages are ready.
func depth(b *memory.Broker, queue string) int { return len(b.Messages(queue)) }

// same fails unless two lists are equal.
func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %d items\n%.300s\nwant %d\n%.300s", what, len(got), fmt.Sprint(got), len(want), fmt.Sprint(want))
	}
}

// holds fails unless text holds a part.
func holds(t *testing.T, what, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%s does not say %q: %q", what, part, text)
	}
}

// record is a log to look at.
type record struct{ transcript.Buffer }

// lines are those that hold a part.
func (r *record) lines(part string) (found []string) {
	for line := range strings.Lines(r.String()) {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}
