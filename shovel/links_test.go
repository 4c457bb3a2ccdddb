package shovel_test

import (
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/link"
	"weir/shovel"
)

// whole is a shovel with much to change.
const whole = `
  x:
    source: {queue: orders, prefetch-count: 10, consumer-args: {x-priority: -1}}
    destinations:
      - broker: us
        exchange: inbox
        routing-key: k
        room: {watch: {queue: orders}, messages-ready: {stop: 50, resume: 40}}
        publish-properties: {priority: 1}
    overflow: {messages-ready: {start: 100, stop: 20}, for: 5s}
    on-refused: {attempts: 3, then: dead-letter, dead-letter: {broker: ap, exchange: failed}}
`

// links makes the links of a configuration over brokers of some versions.
func links(t *testing.T, cfg *configs.Config, versions map[string]string) []link.Spec {
	t.Helper()
	find := func(name string) (broker.Broker, string) { return memory.New(name), name + versions[name] }
	specs, err := shovel.Links(cfg, find, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return specs
}

// A reload restarts exactly the links whose version is another.
func TestReloadRestartsOnlyWhatChanged(t *testing.T) {
	version := func(shovels string, versions map[string]string, site string) string {
		cfg := parse(t, shovels)
		cfg.Site = site
		for _, spec := range links(t, cfg, versions) {
			if spec.Name == "x" {
				return spec.Version
			}
		}
		t.Fatal("no link x")
		return ""
	}
	swap := func(old, new string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("%q is not there to be changed", old)
		}
		return strings.Replace(whole, old, new, 1)
	}
	before := version(whole, nil, "eu")
	for name, same := range map[string]string{
		"nothing":            version(whole, nil, "eu"),
		"a comment":          version("  # of the shop\n"+whole, nil, "eu"),
		"a default, written": version(swap("for: 5s", "for: 5s, match: any"), nil, "eu"),
		"another notation":   version(swap("for: 5s", "for: 5000ms"), nil, "eu"),
		"another shovel":     version(whole+"  y: {source: {queue: q}, destinations: [{broker: us, queue: q}]}\n", nil, "eu"),
	} {
		if same != before {
			t.Errorf("%s restarts the link", name)
		}
	}
	for name, other := range map[string]string{
		"source":           version(swap("queue: orders", "queue: invoices"), nil, "eu"),
		"prefetch":         version(swap("10", "11"), nil, "eu"),
		"consumer args":    version(swap("-1", "-2"), nil, "eu"),
		"destination":      version(swap("inbox", "outbox"), nil, "eu"),
		"routing key":      version(swap("routing-key: k", `routing-key: ""`), nil, "eu"),
		"no routing key":   version(swap("        routing-key: k\n", ""), nil, "eu"),
		"room":             version(swap("stop: 50", "stop: 51"), nil, "eu"),
		"property":         version(swap("priority: 1", "priority: 2"), nil, "eu"),
		"threshold":        version(swap("start: 100", "start: 101"), nil, "eu"),
		"for":              version(swap("for: 5s", "for: 6s"), nil, "eu"),
		"hops":             version(whole+"    max-hops: 2\n", nil, "eu"),
		"attempts":         version(swap("attempts: 3", "attempts: 4"), nil, "eu"),
		"dead letter":      version(swap("exchange: failed", "exchange: dead"), nil, "eu"),
		"setting":          version(whole+"    drain-timeout: 1s\n", nil, "eu"),
		"site":             version(whole, nil, "eu2"),
		"source broker":    version(whole, map[string]string{"eu": "2"}, "eu"),
		"its destination":  version(whole, map[string]string{"us": "2"}, "eu"),
		"its dead letters": version(whole, map[string]string{"ap": "2"}, "eu"),
	} {
		if other == before {
			t.Errorf("%s: a change does not restart the link", name)
		}
	}
	alone := "  x: {source: {queue: orders}, destinations: [{broker: us, queue: q}]}\n"
	if version(alone, nil, "eu") != version(alone, map[string]string{"ap": "2"}, "eu") {
		t.Error("a broker that it does not use restarts the link")
	}
}

// An overflow shovel that is open stays so over a reload that does not concern it.
func TestReloadOfAnotherShovelDoesNotShutAnOpenGate(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(time.Second)
		w.eu.Put("orders", orders("eu", 5000)...)
		w.run(excess)
		w.within(10*time.Second, "it opens", func() bool { return w.status().Overflow.Open })
		changes := w.group.Apply(w.specs(excess + "  other: {source: {queue: q}, destinations: [{broker: us, queue: q}]}\n"))
		same(t, "kept", changes.Kept, []string{"excess"})
		w.after(2 * time.Second)
		if s := w.group.Statuses()[0]; !s.Overflow.Open || s.Overflow.Switches != 1 {
			t.Errorf("after the reload: %+v", s.Overflow)
		}
	})
}

func TestSpecSaysWhatWasDeclared(t *testing.T) {
	cfg := parse(t, `
  b:
    source: {exchange: shop, routing-key: "order.#", queue-args: {x-queue-type: quorum, x-limits: [1, {a: true}]}}
    destinations: [{broker: us, queue: inbox}]
    ack-mode: on-publish
    rate-limit: 2000/s
    delete-after: 7
    memory-limit: 1MiB
    confirm-timeout: 3s
    drain-timeout: 4s
    hold-limit: 5m
    reconnect-delay: {min: 1s, max: 2s}
    paused: true
  a:
    source: {broker: us, queue: orders, prefetch-count: 10, predeclared: true, consumer-args: {x-stream-offset: first}}
    destinations: [{broker: eu, exchange: inbox}, {broker: ap, exchange: inbox}]
    delete-after: queue-length
    on-refused: {attempts: 3, then: drop}
    on-unroutable: {attempts: 4, then: reject}
`)
	specs := links(t, cfg, nil)
	if len(specs) != 2 || specs[0].Name != "a" || specs[1].Name != "b" {
		t.Fatalf("want a, b: %+v", specs)
	}
	a, b := specs[0], specs[1]
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"site", a.Site, "eu"},
		{"source", a.Source.String(), "us queue=orders"},
		{"destination", a.Destination.String(), "eu exchange=inbox, else ap exchange=inbox"},
		{"window", a.Window, 10},
		{"predeclared", a.Source.Options.Predeclared, true},
		{"consumer-args", a.Source.Options.ConsumerArgs, broker.Table{"x-stream-offset": "first"}},
		{"queue-length", a.DeleteAfter, int64(link.QueueLength)},
		{"on-refused", a.OnRefused, link.Recourse{Attempts: 3, Then: link.Drop}},
		{"on-unroutable", a.OnUnroutable, link.Recourse{Attempts: 4, Then: link.Reject}},
		{"kind", a.Kind, link.Shovel},
		{"gate", a.Gate, nil},
		{"exchange source", b.Source.At, broker.Address{Exchange: "shop", RoutingKey: "order.#", Queue: "weir: shovel eu/b"}},
		{"queue-args", b.Source.Options.DeclareArgs, broker.Table{
			"x-queue-type": "quorum", "x-limits": broker.Array{int64(1), broker.Table{"a": true}},
		}},
		{"ack-mode", b.AckMode, link.OnPublish},
		{"rate-limit", b.RateLimit, 2000.0},
		{"delete-after", b.DeleteAfter, int64(7)},
		{"memory-limit", b.MemoryLimit, int64(1 << 20)},
		{"confirm-timeout", b.ConfirmTimeout, 3 * time.Second},
		{"drain-timeout", b.DrainTimeout, 4 * time.Second},
		{"hold-limit", b.HoldLimit, 5 * time.Minute},
		{"reconnect-delay", b.Reconnect, link.Delays{Min: time.Second, Max: 2 * time.Second}},
		{"paused", b.Paused, true},
		{"automatic window", b.Window, 0},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s is %#v, want %#v", c.what, c.got, c.want)
		}
	}
}

// A default sends no heartbeats to where they would reach others.
func TestHeartbeatsOfShovels(t *testing.T) {
	for _, spec := range links(t, parse(t, `
  alone: {source: {queue: orders}, destinations: [{broker: us, queue: q}]}
  exchange: {source: {exchange: orders}, destinations: [{broker: us, queue: q}]}
  excess: {source: {queue: orders}, destinations: [{broker: us, queue: q}], overflow: {messages-ready: {start: 9, stop: 1}}}
  other: {source: {queue: orders}, destinations: [{broker: us, queue: q}], heartbeat-interval: 1m}
defaults: {heartbeat-interval: 10s}
`), nil) {
		if want := map[string]time.Duration{"alone": 10 * time.Second, "other": time.Minute}[spec.Name]; spec.Heartbeat != want {
			t.Errorf("%s: a heartbeat every %v, want %v", spec.Name, spec.Heartbeat, want)
		}
	}
}

// What is in flight when a gate shuts arrives too: the window must not make a mockery of the thresholds.
func TestWindowIsSmallBesideTheThresholds(t *testing.T) {
	const x = "  x:\n    source: {queue: orders}\n"
	for name, c := range map[string]struct {
		shovel string
		most   int
	}{
		"plain":           {x + "    destinations: [{broker: us, queue: q}]\n", 0},
		"overflow":        {x + "    destinations: [{broker: us, queue: q}]\n    overflow: {messages-ready: {start: 10000, stop: 2000}}\n", 2000},
		"little overflow": {x + "    destinations: [{broker: us, queue: q}]\n    overflow: {messages-ready: {start: 10, stop: 2}}\n", 64},
		"much overflow":   {x + "    destinations: [{broker: us, queue: q}]\n    overflow: {messages-ready: {start: 1000000, stop: 2}}\n", 10_000},
		"by age":          {x + "    destinations: [{broker: us, queue: q}]\n    overflow: {oldest-message: {start: 30s, stop: 5s}}\n", 0},
		"room":            {x + "    destinations: [{broker: us, queue: q, room: {messages-ready: {stop: 5000, resume: 4000}}}]\n", 250},
	} {
		if got := links(t, parse(t, c.shovel), nil)[0].MaxWindow; got != c.most {
			t.Errorf("%s: at most %d in flight, want %d", name, got, c.most)
		}
	}
}

func TestKindTellsOverflowFromPlainShovels(t *testing.T) {
	spec := links(t, parse(t, excess), nil)[0]
	if spec.Kind != link.Overflow || spec.Switch == nil {
		t.Errorf("kind %q, switch %v", spec.Kind, spec.Switch)
	}
	if got := spec.Switch.Overflow().Thresholds; got != "messages-ready 100..20 for 5s" {
		t.Errorf("thresholds %q", got)
	}
}

// plainBroker has none of the optional abilities.
type plainBroker struct{ broker.Broker }

func TestSingleOwnerNeedsABrokerWithLocks(t *testing.T) {
	find := func(string) (broker.Broker, string) { return plainBroker{memory.New("eu")}, "" }
	_, err := shovel.Links(parse(t, single), find, slog.New(slog.DiscardHandler))
	if !errors.Is(err, broker.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	holds(t, "the error", err.Error(), "shovel single: single-owner on broker eu")
}

func TestEndsListWhatShovelsUse(t *testing.T) {
	var got []string
	for _, e := range shovel.Ends(parse(t, whole)) {
		got = append(got, e.Path+" "+e.Broker+" "+e.At.String())
	}
	same(t, "ends", got, []string{
		"shovels.x.source eu queue=orders",
		"shovels.x.destinations[0] us exchange=inbox routing-key=k",
		"shovels.x.destinations[0].room.watch us queue=orders",
		"shovels.x.on-refused.dead-letter ap exchange=failed",
	})
}
