package federation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/federation"
	"weir/link"
	"weir/tests/transcript"
)

// world is three regions in memory, each with a topic exchange "catalog". It lives in a synctest bubble.
type world struct {
	*testing.T
	eu, us, ap *memory.Broker
	log        *transcript.Buffer
}

// inWorld runs a test on the fake clock.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, eu: memory.New("eu"), us: memory.New("us"), ap: memory.New("ap"), log: &transcript.Buffer{}}
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("log:\n%s", w.log)
			}
		})
		for _, b := range []*memory.Broker{w.eu, w.us, w.ap} {
			b.DeclareExchange("catalog", memory.Topic)
		}
		test(w)
	})
}

// gateway is what runs at one site.
type gateway struct {
	*federation.Federation
	w       *world
	site    string
	brokers map[string]broker.Broker
	stop    func() // ends it and waits for it
}

// gateway starts one that sees the three regions.
func (w *world) gateway(site string, policies string) *gateway {
	w.Helper()
	return w.gatewayOver(site, map[string]broker.Broker{"eu": w.eu, "us": w.us, "ap": w.ap}, policies)
}

// gatewayOver starts one that sees these brokers, by name.
func (w *world) gatewayOver(site string, brokers map[string]broker.Broker, policies string) *gateway {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g := &gateway{
		Federation: federation.New(ctx, log.With("site", site)), w: w, site: site, brokers: brokers,
	}
	g.stop = sync.OnceFunc(func() {
		cancel()
		g.Wait()
	})
	w.Cleanup(g.stop)
	g.apply(policies)
	return g
}

// apply reads upstreams and policies as an operator writes them.
func (g *gateway) apply(policies string) {
	g.w.Helper()
	g.applyWith("", policies)
}

// applyWith is apply with more brokers than the three.
func (g *gateway) applyWith(brokers, policies string) {
	g.w.Helper()
	text := fmt.Sprintf(`
version: 1
site: %s
local: %s
brokers:
  eu: {type: nats, uris: ["nats://eu:4222"]}
  us: {type: nats, uris: ["nats://us:4222"]}
  ap: {type: nats, uris: ["nats://ap:4222"]}
`, g.site, g.site) + strings.ReplaceAll(brokers+policies, "\t", "  ")
	none := func(string) (string, bool) { return "", false }
	cfg, _, err := configs.Parse("weir.yaml", []byte(text), none)
	if err != nil {
		g.w.Fatalf("configuration: %v\n%s", err, text)
	}
	g.Apply(cfg, func(name string) (broker.Broker, string) {
		return g.brokers[name], fmt.Sprintf("%s %T", name, g.brokers[name])
	})
}

// fromUS federates everything named catalog with us.
const fromUS = `
upstreams:
	us: {broker: us}
policies:
	catalog: {pattern: "^catalog", definition: {federation-upstream: us}}
`

// status is that of one link.
func (g *gateway) status(name string) link.Status {
	g.w.Helper()
	l, ok := g.Link(name)
	if !ok {
		g.w.Fatalf("no link %q: %v", name, g.names())
	}
	return l.Status()
}

// names are those of all links.
func (g *gateway) names() []string {
	var all []string
	for _, s := range g.Statuses() {
		all = append(all, s.Name)
	}
	return all
}

// equal waits until a link's bindings are mirrored, n of them.
func (g *gateway) equal(name string, n int) {
	g.w.Helper()
	g.w.within(10*time.Second, fmt.Sprintf("%s mirrors %d bindings", name, n), func() bool {
		l, ok := g.Link(name)
		if !ok {
			return false
		}
		f := l.Status().Federation
		return f != nil && !f.EqualAt.IsZero() && *f.Bindings == n
	})
}

// consumer makes a queue bound to the exchange catalog.
func (w *world) consumer(b *memory.Broker, queue string, keys ...string) {
	b.Declare(queue, memory.Queue{})
	for _, key := range keys {
		b.Bind(queue, "catalog", key)
	}
}

// publish publishes to the exchange catalog, one message for each body.
func (w *world) publish(b *memory.Broker, key string, bodies ...string) {
	w.Helper()
	for _, body := range bodies {
		m := &broker.Message{Exchange: "catalog", RoutingKey: key, Body: []byte(body)}
		m.Properties.UserID = "alice"
		if err := b.Publish(m); err != nil && !errors.Is(err, broker.ErrUnroutable) {
			w.Fatal(err)
		}
	}
}

// boundAt lists the keys that buffers at a broker are bound to an exchange with.
func (w *world) boundAt(b *memory.Broker, exchange string) []string {
	w.Helper()
	bindings, err := b.Bindings(context.Background(), exchange)
	if err != nil {
		w.Fatal(err)
	}
	keys := map[string]bool{}
	for _, binding := range bindings {
		if strings.HasPrefix(binding.Destination, "weir: ") {
			keys[binding.Key] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// buffers lists those at a broker.
func (w *world) buffers(b *memory.Broker) (names []string) {
	for _, name := range b.QueueNames() {
		if strings.HasPrefix(name, "weir: ") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// boundTo lists the keys that one buffer of the exchange catalog is bound with.
func (w *world) boundTo(b *memory.Broker, name string) (keys []string) {
	w.Helper()
	bound, err := b.Bound(context.Background(), broker.Buffer{Name: name, Exchange: broker.Exchange{Name: "catalog"}, FirstHop: true})
	if err != nil && !errors.Is(err, broker.ErrNotFound) {
		w.Fatal(err)
	}
	for _, binding := range bound {
		keys = append(keys, binding.Key)
	}
	return keys
}

// within waits, at most so long, until something is so.
func (w *world) within(limit time.Duration, what string, is func() bool) {
	w.Helper()
	for began := time.Now(); !is(); w.after(max(10*time.Millisecond, limit/1000)) {
		if time.Since(began) >= limit {
			w.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// after lets time pass.
func (w *world) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// gets waits until exactly these bodies lie in a queue, in order, and no more come.
func (w *world) gets(b *memory.Broker, queue string, want ...string) {
	w.Helper()
	for began := time.Now(); len(b.Bodies(queue)) < len(want) && time.Since(began) < 30*time.Second; {
		w.after(10 * time.Millisecond)
	}
	w.after(time.Second)
	if got := b.Bodies(queue); !slices.Equal(got, want) {
		w.Errorf("%s has %q, want %q", queue, got, want)
	}
}

// all are the three regions: eu, us, ap.
func (w *world) all() []*memory.Broker { return []*memory.Broker{w.eu, w.us, w.ap} }
