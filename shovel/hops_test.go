package shovel_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// travelled is a message that has left a place before it came here.
func travelled(queue, body string, left ...string) *broker.Message {
	list := broker.Array{}
	for _, cluster := range left {
		list = append(list, broker.Table{"uri": "memory://" + cluster + "/%2F", "cluster-name": cluster, "vhost": "/", "redelivered": false})
	}
	return &broker.Message{RoutingKey: queue, Body: []byte(body), Headers: broker.Table{"x-received-from": list}}
}

func (w *world) publish(b *memory.Broker, ms ...*broker.Message) {
	w.Helper()
	if err := b.Publish(ms...); err != nil {
		w.Fatal(err)
	}
}

func TestMessageDoesNotGoWhereItHasBeen(t *testing.T) {
	inWorld(t, func(w *world) {
		w.publish(w.eu, travelled("orders", "from us", "us"), travelled("orders", "from ap", "ap"), travelled("orders", "from here"))
		w.run(`
  x:
    source: {queue: orders}
    destinations: [{broker: us, queue: orders}, {broker: ap, queue: orders}]
    max-hops: 2
`)
		w.after(time.Second)
		same(t, "in us", w.us.Bodies("orders"), []string{"from ap", "from here"})
		same(t, "in ap", w.ap.Bodies("orders"), []string{"from us"})
	})
}

func TestMessageGoesNoFurtherThanMaxHops(t *testing.T) {
	inWorld(t, func(w *world) {
		w.publish(w.eu, travelled("orders", "from ap", "ap"), travelled("orders", "from here"))
		w.run("  x: {source: {queue: orders}, destinations: [{broker: us, queue: orders}], max-hops: 1}\n")
		w.after(time.Minute)
		same(t, "in us", w.us.Bodies("orders"), []string{"from here"})
		holds(t, "the reason", w.status().Reason, "it has crossed as many links as max-hops allows")
	})
}

func TestMessageThatHasToWaitLetsOthersPass(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Block("memory alarm")
		w.publish(w.eu, travelled("orders", "from ap", "ap"), travelled("orders", "from here"))
		w.run("  x: {source: {queue: orders}, destinations: [{broker: us, queue: orders}, {broker: ap, queue: orders}], max-hops: 2}\n")
		w.within(5*time.Second, "the other passes", func() bool { return depth(w.ap, "orders") == 1 })
		same(t, "in ap", w.ap.Bodies("orders"), []string{"from here"})
		w.us.Unblock()
		w.within(10*time.Second, "the first goes, too", func() bool { return depth(w.us, "orders") == 1 })
	})
}

func TestMessageWithNowhereToGoIsHeldAndGivenBackUnharmed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.Declare("orders", memory.Queue{})
		for i := range 3 {
			w.publish(w.eu, travelled("orders", fmt.Sprint("from us ", i), "us"))
		}
		w.eu.Put("orders", orders("eu", 50)...)
		w.run(strings.ReplaceAll(excess, "{start: 100, stop: 20}", "{start: 40, stop: 5}"))
		w.within(time.Minute, "what may go has gone", func() bool { return depth(w.us, "orders") == 50 })
		w.within(time.Minute, "the rest is here again", func() bool { return depth(w.eu, "orders") == 3 })
		same(t, "at home", w.eu.Bodies("orders"), []string{"from us 0", "from us 1", "from us 2"})
		w.always(time.Hour, "it stays", func() bool { return depth(w.eu, "orders") == 3 })
		if s := w.status(); s.Counts.Dropped != 0 || s.Counts.Unroutable != 0 {
			t.Errorf("counted as lost: %+v", s.Counts)
		}
	})
}

func TestStatusSaysWhyAMessageHasNowhereToGo(t *testing.T) {
	for destinations, why := range map[string]string{
		"{broker: us, queue: orders}":                              "nowhere to go: no destination for this message: it has been there",
		"{broker: us, queue: orders}, {broker: ap, queue: orders}": "us: it has been there; ap: unreachable: connection refused",
	} {
		inWorld(t, func(w *world) {
			w.ap.Down(errRefused)
			w.run("  x: {source: {queue: orders}, destinations: [" + destinations + "], max-hops: 2}\n")
			w.eu.Put("orders", "from here")
			w.publish(w.eu, travelled("orders", "from us", "us"))
			w.within(time.Minute, "it holds", func() bool { return w.status().State == link.Holding })
			holds(t, "the reason", w.status().Reason, why)
			if n := len(w.log.lines("state=holding")); n != 1 {
				t.Errorf("logged %d times", n)
			}
		})
	}
}

// What came from elsewhere and may not go on must not keep what may from leaving.
func TestMessagesThatMayNotGoDoNotStandInTheWay(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 200 {
			w.publish(w.eu, travelled("orders", fmt.Sprintf("us-%05d", i), "us"))
		}
		ours := orders("eu", 5000)
		w.eu.Put("orders", ours...)
		w.run(strings.ReplaceAll(excess, "{start: 100, stop: 20}", "{start: 1000, stop: 100}"))
		w.within(5*time.Minute, "ours are away", func() bool { return depth(w.us, "orders") > 4000 })
	})
}

// Messages that may go nowhere must not open the gate again and again: each time they are given back counts towards a
// delivery limit, and the link would pause itself soon.
func TestMessagesThatMayNotGoDoNotFlapTheGate(t *testing.T) {
	for name, threshold := range map[string]string{
		"many": "messages-ready: {start: 40, stop: 10}",
		"old":  "oldest-message: {start: 60s, stop: 10s}",
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.eu.Declare("orders", memory.Queue{})
				for i := range 40 {
					w.publish(w.eu, travelled("orders", fmt.Sprintf("us-%05d", i), "us"))
				}
				w.run(strings.ReplaceAll(excess, "messages-ready: {start: 100, stop: 20}", threshold))
				w.after(20 * time.Minute)
				s := w.status()
				if s.State != link.Shut || s.Overflow.Switches > 2*8 {
					t.Errorf("%s (%s) after %d switches", s.State, s.Reason, s.Overflow.Switches)
				}
				holds(t, "the reason", s.Reason, "40 more had nowhere to go and do not count for ")
				w.eu.Put("orders", orders("eu", 100)...)
				w.within(15*time.Minute, "others go all the same", func() bool { return depth(w.us, "orders") > 30 })
			})
		})
	}
}
