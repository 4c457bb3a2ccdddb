package shovel_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// excess moves what is too much at home to the exchange orders in us.
const excess = `
  excess:
    source: {queue: orders}
    destinations: [{broker: us, exchange: orders}]
    overflow: {messages-ready: {start: 100, stop: 20}, for: 5s}
`

func TestOverflowLeavesAQueueAloneUntilStartHasHeld(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(excess)
		w.eu.Put("orders", orders("eu", 99)...)
		w.always(time.Minute, "nothing moves below start", func() bool { return depth(w.eu, "orders") == 99 })
		w.eu.Put("orders", "one more")
		w.always(5*time.Second, "nothing moves before for", func() bool { return depth(w.eu, "orders") == 100 })
		w.within(2*time.Second, "it opens", func() bool { return depth(w.us, "orders") > 0 })
	})
}

func TestOverflowMovesTheExcessAndLeavesTheRest(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(20 * time.Millisecond)
		w.eu.Put("orders", orders("eu", 10_000)...)
		w.run(strings.ReplaceAll(excess, "{start: 100, stop: 20}", "{start: 4000, stop: 2000}"))
		w.within(time.Minute, "it shuts", func() bool { return w.status().Overflow.Switches == 2 })
		w.after(time.Second)
		if left := depth(w.eu, "orders"); left > 2000 || left < 1500 {
			t.Errorf("%d messages are left, want about stop (2000)", left)
		}
		same(t, "what went", w.us.Bodies("orders"), orders("eu", 10_000)[:10_000-depth(w.eu, "orders")])
	})
}

func TestOverflowByAgeLeavesWhatIsYoung(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(20 * time.Millisecond)
		w.run(strings.ReplaceAll(excess, "messages-ready: {start: 100, stop: 20}, for: 5s", "oldest-message: {start: 60s, stop: 10s}"))
		for _, body := range orders("eu", 6500) { // 100 a second, and nobody consumes
			w.eu.Put("orders", body)
			w.after(10 * time.Millisecond)
		}
		w.within(10*time.Second, "it opens and shuts", func() bool { return w.status().Overflow.Switches == 2 })
		w.after(time.Second)
		if left := depth(w.eu, "orders"); left > 1100 || left < 700 {
			t.Errorf("%d messages are left, want those of the last 10 s (1000)", left)
		}
	})
}

func TestDepthThatCannotBeReadIsLoggedOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(strings.ReplaceAll(excess, "overflow: {", "overflow: {watch: {broker: ap, queue: orders}, "))
		w.after(time.Second)
		w.ap.Down(errRefused)
		w.after(time.Hour)
		holds(t, "the reason", w.status().Reason, "depth of ap queue=orders cannot be read: connection refused")
		if n := len(w.log.lines("depth cannot be read")); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}

// The case the whole thing is made for.
func TestFiftyThousandOrdersAndASlowConsumer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(40 * time.Millisecond)
		w.eu.Latency(10 * time.Millisecond)
		w.run(strings.ReplaceAll(excess, "{start: 100, stop: 20}", "{start: 10000, stop: 2000}"))
		home := w.consume(w.eu, "orders", 2, 10*time.Millisecond)  // 200 a second
		away := w.consume(w.us, "orders", 50, 10*time.Millisecond) // 5,000 a second
		all := orders("eu", 50_000)
		for batch := range slices.Chunk(all, 50) { // 5,000 a second
			w.eu.Put("orders", batch...)
			w.after(10 * time.Millisecond)
		}
		w.within(time.Minute, "it shuts", func() bool { return !w.status().Overflow.Open })
		if opened := (w.status().Overflow.Switches + 1) / 2; opened > 2 {
			t.Errorf("opened %d times, want at most twice", opened)
		}
		w.within(time.Minute, "all are consumed", func() bool { return home.n()+away.n() == len(all) })
		if home.n() == 0 || away.n() == 0 {
			t.Errorf("%d consumed at home, %d away", home.n(), away.n())
		}
		inOrder(t, "at home", home.got())
		inOrder(t, "away", away.got())
		once(t, all, home.got(), away.got())
	})
}

func TestDecisionIsRecordedOnceWithDepthAndDestination(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Down(fmt.Errorf("connection refused"))
		w.eu.Put("orders", orders("eu", 150)...)
		w.run(`
  excess:
    source: {queue: orders}
    destinations: [{broker: us, exchange: orders}, {broker: ap, exchange: orders}]
    overflow: {messages-ready: {start: 100, stop: 20}, for: 5s}
`)
		w.within(10*time.Second, "it opens and shuts", func() bool { return w.status().Overflow.Switches == 2 })
		w.after(time.Minute)
		decisions := w.status().Overflow.Decisions
		if len(decisions) != 2 {
			t.Fatalf("%d decisions, want 2: %+v", len(decisions), decisions)
		}
		opened := decisions[1]
		if !opened.Open || opened.Depth.Ready == nil || *opened.Depth.Ready != 150 {
			t.Errorf("decided %+v, want open at 150 ready", opened)
		}
		holds(t, "the reason", opened.Why, "ready 150, opens at 100")
		holds(t, "the destination", opened.Destination, "ap exchange=orders")
		same(t, "passed over", opened.PassedOver, []string{"us exchange=orders: unreachable: connection refused"})
		if lines := w.log.lines("overflow opens"); len(lines) != 1 {
			t.Errorf("logged %d times: %q", len(lines), lines)
		} else {
			for _, part := range []string{"link=excess", "ready=150", `destination="ap exchange=orders"`, "us exchange=orders: unreachable"} {
				holds(t, "the log", lines[0], part)
			}
		}
		if shut := decisions[0]; shut.Open || !strings.HasSuffix(shut.Why, ", shuts at 20") {
			t.Errorf("decided %+v, want shut", shut)
		}
		if lines := w.log.lines("overflow shuts"); len(lines) != 1 {
			t.Errorf("logged %d times: %q", len(lines), lines)
		}
	})
}

func TestOpenOverflowSurvivesLostSessions(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(100 * time.Millisecond)
		w.run(strings.ReplaceAll(excess, "{start: 100, stop: 20}", "{start: 4000, stop: 2000}"))
		all := orders("eu", 10_000)
		w.eu.Put("orders", all...)
		for range 3 {
			w.within(10*time.Second, "it moves", func() bool { return w.status().State == link.Running })
			w.eu.Cut()
			w.us.Cut()
			w.after(50 * time.Millisecond)
		}
		if s := w.status().Overflow; !s.Open || s.Switches != 1 {
			t.Fatalf("want open once, and still: %+v", s)
		}
		w.within(time.Minute, "it shuts", func() bool { return !w.status().Overflow.Open })
		w.after(time.Second)
		atLeastOnce(t, all, w.us.Messages("orders"), w.eu.Messages("orders"))
	})
}

func TestHandOverridesTheThresholdsWhileItRuns(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(excess)
		w.eu.Put("orders", "1", "2", "3")
		w.after(10 * time.Second)
		w.link("excess").Override(link.On)
		w.within(time.Second, "on moves what is there", func() bool { return depth(w.us, "orders") == 3 })
		w.link("excess").Override(link.Off)
		w.within(time.Second, "off is shown", func() bool { return w.status().Reason == "switched off by hand" })
		w.eu.Put("orders", orders("eu", 500)...)
		w.always(time.Minute, "off moves nothing", func() bool { return depth(w.eu, "orders") == 500 })
		w.link("excess").Override(link.Auto)
		w.within(10*time.Second, "auto decides by the thresholds", func() bool { return depth(w.us, "orders") > 3 })
		if mode := w.status().Overflow.Mode; mode != link.Auto {
			t.Errorf("mode %q", mode)
		}
	})
}

// A queue that is full spills into a backup queue, from which overflow takes: the classic layout.
func TestOverflowFromABackupQueue(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.Declare("spilling", memory.Queue{MaxLength: 50})
		w.eu.Declare("backup", memory.Queue{})
		all := orders("eu", 400)
		for _, body := range all {
			m := &broker.Message{RoutingKey: "spilling", Body: []byte(body)}
			if w.eu.Publish(m) != nil { // as x-overflow: reject-publish-dlx does
				w.eu.Put("backup", body)
			}
		}
		w.run(strings.ReplaceAll(excess, "{queue: orders}", "{queue: backup}"))
		w.within(time.Minute, "the excess is away", func() bool { return w.status().Overflow.Switches == 2 })
		w.after(time.Second)
		same(t, "the normal queue", w.eu.Bodies("spilling"), all[:50])
		once(t, all, w.us.Messages("orders"), w.eu.Messages("spilling"), w.eu.Messages("backup"))
	})
}

// Nobody but weir makes the queue behind an exchange, so it must be there before there is anything to measure.
func TestOverflowFromAnExchangeKeepsWhatComesWhileItIsShut(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.DeclareExchange("shop", memory.Topic)
		w.run(strings.ReplaceAll(excess, "{queue: orders}", `{exchange: shop, routing-key: "order.#"}`))
		w.within(5*time.Second, "the queue is there", func() bool { return slices.Contains(w.eu.QueueNames(), "weir: shovel eu/excess") })
		publish := func(n int) {
			for _, body := range orders("eu", n) {
				m := &broker.Message{Exchange: "shop", RoutingKey: "order.created", Body: []byte(body)}
				if err := w.eu.Publish(m); err != nil {
					t.Fatal(err)
				}
			}
		}
		publish(99)
		w.always(time.Minute, "it keeps them", func() bool { return depth(w.eu, "weir: shovel eu/excess") == 99 })
		publish(99)
		w.within(time.Minute, "the excess is away", func() bool { return depth(w.us, "orders") > 0 })
	})
}

func TestWhatIsMeasuredMayBeElsewhere(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.Declare("backlog", memory.Queue{})
		w.eu.Put("orders", "1", "2")
		w.run(strings.ReplaceAll(excess, "overflow: {", "overflow: {watch: {queue: backlog}, "))
		w.always(time.Minute, "shut", func() bool { return depth(w.eu, "orders") == 2 })
		w.eu.Put("backlog", orders("eu", 100)...)
		w.within(10*time.Second, "open", func() bool { return depth(w.eu, "orders") == 0 })
	})
}

// inOrder fails unless the messages of one origin come in their order.
func inOrder(t *testing.T, where string, ms []*broker.Message) {
	t.Helper()
	for i := 1; i < len(ms); i++ {
		if string(ms[i-1].Body) >= string(ms[i].Body) {
			t.Errorf("%s: %s before %s", where, ms[i-1].Body, ms[i].Body)
			return
		}
	}
}

// once fails unless each body came exactly once, wherever that was.
func once(t *testing.T, want []string, got ...[]*broker.Message) {
	t.Helper()
	if lost, extra := tally(want, got...); lost > 0 || extra > 0 {
		t.Errorf("of %d messages %d are lost, and %d came more than once", len(want), lost, extra)
	}
}

// atLeastOnce fails unless each body came.
func atLeastOnce(t *testing.T, want []string, got ...[]*broker.Message) {
	t.Helper()
	if lost, _ := tally(want, got...); lost > 0 {
		t.Errorf("of %d messages %d are lost", len(want), lost)
	}
}

// tally counts what did not come and what came beyond the first time.
func tally(want []string, got ...[]*broker.Message) (lost, extra int) {
	seen := map[string]int{}
	for _, m := range slices.Concat(got...) {
		seen[string(m.Body)]++
		extra++
	}
	for _, body := range want {
		if seen[body] == 0 {
			lost++
		} else {
			extra--
		}
	}
	return lost, extra
}

// The depth of a source that the gate watches is read once, for both.
func TestDepthOfTheWatchedSourceIsShown(t *testing.T) {
	inWorld(t, func(w *world) {
		reads := &reads{Broker: w.eu}
		w.brokers["eu"] = reads
		w.eu.Put("orders", orders("eu", 7)...)
		w.run("  x: {source: {queue: orders}, destinations: [{broker: us, queue: orders}], overflow: {messages-ready: {start: 100, stop: 10}}}\n")
		w.within(5*time.Second, "it is shown", func() bool {
			d := w.status().Depth
			return d != nil && *d.Ready == 7
		})
		before := reads.n.Load()
		w.after(time.Minute)
		if n := reads.n.Load() - before; n < 55 || n > 61 {
			t.Errorf("read %d times in a minute, want once a second", n)
		}
	})
}

type reads struct {
	broker.Broker
	n atomic.Int64
}

func (r *reads) Depth(ctx context.Context, at broker.Address) (broker.Depth, error) {
	r.n.Add(1)
	return r.Broker.Depth(ctx, at)
}

// What nobody watches is not shown as open, whatever was decided last.
func TestPausedOverflowIsNotOpen(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(100 * time.Millisecond)
		w.run(strings.ReplaceAll(excess, "{start: 100, stop: 20}", "{start: 4000, stop: 20}"))
		w.eu.Put("orders", orders("eu", 5000)...)
		w.within(10*time.Second, "it is open", func() bool { return w.status().Overflow.Open })
		w.link("excess").Pause("maintenance")
		w.within(25*time.Second, "it is paused", func() bool { return w.status().State == link.Paused && w.status().InFlight == 0 })
		if w.status().Overflow.Open {
			t.Error("paused and open")
		}
		w.link("excess").Resume()
		w.within(2*time.Second, "it goes on", func() bool { return w.status().Overflow.Open })
	})
}

// A resumed link waits at its gate, which has shut only then.
func TestResumedOverflowTellsThatItIsShut(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(100 * time.Millisecond)
		w.run(strings.ReplaceAll(excess, "{start: 100, stop: 20}", "{start: 4000, stop: 20}"))
		w.eu.Put("orders", orders("eu", 5000)...)
		w.within(10*time.Second, "it is open", func() bool { return w.status().Overflow.Open })
		w.link("excess").Pause("maintenance")
		w.after(5 * time.Second)
		w.eu.Drain("orders")
		w.link("excess").Resume()
		w.within(5*time.Second, "it is shut, and says why", func() bool {
			s := w.status()
			return s.State == link.Shut && s.Reason == "ready 0, opens at 4000"
		})
	})
}

// What a hand says while a decision is being prepared counts more than that.
func TestHandIsQuickerThanASilentDestination(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Silent()
		w.eu.Put("orders", orders("eu", 500)...)
		w.run(strings.ReplaceAll(excess, "for: 5s", "for: 0s"))
		w.after(time.Second)
		w.link("excess").Override(link.Off)
		w.always(time.Minute, "it does not open", func() bool { return !w.status().Overflow.Open && w.status().Overflow.Switches == 0 })
		holds(t, "the reason", w.status().Reason, "switched off by hand")
	})
}

// Ensure a gate that has opened is not shown as shut while a destination is silent.
func TestOpenOverflowIsStartingWhileItsDestinationIsSilent(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Silent()
		w.eu.Put("orders", orders("eu", 500)...)
		w.run(strings.ReplaceAll(excess, "for: 5s", "for: 0s"))
		w.within(10*time.Second, "it opens", func() bool { return w.status().Overflow.Open })
		w.after(time.Second)
		if s := w.status(); s.State != link.Starting {
			t.Errorf("%s (%s), want starting", s.State, s.Reason)
		}
	})
}

// A destination that does not answer is asked for its depth and whether it could be opened at the same time.
func TestSilentDestinationDelaysADecisionOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Silent()
		w.eu.Put("orders", orders("eu", 500)...)
		w.run(strings.NewReplacer("for: 5s", "for: 0s", "exchange: orders}", "exchange: orders, room: {watch: {queue: orders}, messages-ready: {stop: 100, resume: 50}}}").Replace(excess))
		w.within(3100*time.Millisecond, "it opens", func() bool { return w.status().Overflow.Open })
	})
}

// A broker that restarts has no consumers at first. That there were none when it went is no reason to open at once: nobody
// knows whether the start has held meanwhile.
func TestStartMustHoldAnewAfterAnOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(strings.ReplaceAll(excess, "messages-ready: {start: 100, stop: 20}, for: 5s", "consumers-below: {start: 1, stop: 1}, for: 30s"))
		w.eu.Consumers("orders", 1)
		w.eu.Put("orders", orders("eu", 10)...)
		w.after(time.Minute)
		w.eu.Consumers("orders", 0)
		w.after(2 * time.Second)
		w.eu.Down(errRefused)
		w.after(5 * time.Minute)
		w.eu.Up()
		w.always(20*time.Second, "it does not open", func() bool { return !w.status().Overflow.Open })
		w.within(15*time.Second, "it opens in the end", func() bool { return w.status().Overflow.Open })
	})
}
