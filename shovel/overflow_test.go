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
