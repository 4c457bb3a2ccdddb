package shovel_test

import (
	"slices"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

func TestShovelMovesFromQueueToQueue(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.Put("orders", orders("eu", 500)...)
		w.run("  x: {source: {queue: orders}, destinations: [{broker: us, queue: inbox}]}\n")
		w.within(time.Second, "all are there", func() bool { return slices.Contains(w.us.QueueNames(), "inbox") && depth(w.us, "inbox") == 500 })
		same(t, "inbox", w.us.Bodies("inbox"), orders("eu", 500))
		w.within(time.Second, "all are acked", func() bool { return unacked(w, "orders") == 0 && depth(w.eu, "orders") == 0 })
	})
}

func TestDestinationSaysHowMessagesAreAddressed(t *testing.T) {
	for name, c := range map[string]struct{ destination, exchange, key string }{
		"exchange keeps the routing key":       {"exchange: inbox", "inbox", "order.created"},
		"exchange and routing key":             {"exchange: inbox, routing-key: from.eu", "inbox", "from.eu"},
		"exchange and an empty routing key":    {`exchange: inbox, routing-key: ""`, "inbox", ""},
		"a routing key keeps the exchange":     {"routing-key: from.eu", "shop", "from.eu"},
		"neither keeps exchange and key":       {"add-forward-headers: false", "shop", "order.created"},
		"a queue is by the default exchange":   {"queue: orders", "", "orders"},
		"an address with stamps is still kept": {"add-forward-headers: true, add-timestamp-header: true", "shop", "order.created"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				for _, x := range []string{"shop", "inbox"} {
					w.eu.DeclareExchange(x, memory.Fanout)
					w.us.DeclareExchange(x, memory.Fanout)
					w.us.Bind("orders", x, "")
				}
				w.eu.Bind("orders", "shop", "")
				w.publish(w.eu, &broker.Message{Exchange: "shop", RoutingKey: "order.created"})
				w.run("  x: {source: {queue: orders}, destinations: [{broker: us, " + c.destination + "}]}\n")
				w.within(time.Second, "it is there", func() bool { return depth(w.us, "orders") == 1 })
				if m := w.us.Messages("orders")[0]; m.Exchange != c.exchange || m.RoutingKey != c.key {
					t.Errorf("published to exchange %q, key %q, want %q, %q", m.Exchange, m.RoutingKey, c.exchange, c.key)
				}
			})
		})
	}
}

func TestExchangeAsASourceKeepsWhatComesWhileTheShovelIsAway(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.DeclareExchange("shop", memory.Topic)
		publish := func(key string) {
			_ = w.eu.Publish(&broker.Message{Exchange: "shop", RoutingKey: key, Body: []byte(key)})
		}
		w.run(`  x: {source: {exchange: shop, routing-key: "order.*"}, destinations: [{broker: us, queue: orders}]}` + "\n")
		w.after(time.Second)
		publish("order.created")
		publish("invoice.created")
		w.within(time.Second, "it is there", func() bool { return depth(w.us, "orders") == 1 })
		w.link("x").Pause("maintenance")
		w.after(time.Second)
		publish("order.paid")
		w.always(time.Minute, "it waits", func() bool { return depth(w.us, "orders") == 1 })
		w.link("x").Resume()
		w.within(time.Second, "it is there, too", func() bool { return depth(w.us, "orders") == 2 })
		same(t, "in us", w.us.Bodies("orders"), []string{"order.created", "order.paid"})
	})
}

func TestAckModeSaysWhenTheSourceLetsGo(t *testing.T) {
	for mode, c := range map[string]struct {
		unanswered, unsent int64 // how many the source keeps while the destination does not confirm, or does not take
		warning            string
	}{
		"on-confirm": {3, 3, ""},
		"on-publish": {0, 3, "on-publish may lose messages"},
		"no-ack":     {0, 2, "no-ack may lose messages"},
	} {
		t.Run(mode, func(t *testing.T) {
			inWorld(t, func(w *world) {
				keeps := func() int64 { return unacked(w, "orders") + int64(depth(w.eu, "orders")) }
				w.us.HoldConfirms()
				w.run("  x: {source: {queue: orders, prefetch-count: 3}, destinations: [{broker: us, queue: orders}], ack-mode: " + mode + "}\n")
				w.eu.Put("orders", "1", "2", "3")
				w.after(5 * time.Second)
				if n := keeps(); n != c.unanswered {
					t.Errorf("%d are kept until confirmed, want %d", n, c.unanswered)
				}
				w.us.ReleaseConfirms()
				w.within(time.Second, "all are acked", func() bool { return keeps() == 0 })
				w.us.Block("memory alarm")
				w.eu.Put("orders", "4", "5", "6")
				w.after(5 * time.Second)
				if n := keeps(); n != c.unsent {
					t.Errorf("%d are kept until sent, want %d", n, c.unsent)
				}
				w.us.Unblock()
				w.within(time.Second, "all are there", func() bool { return depth(w.us, "orders") == 6 })
				holds(t, "the warning", w.status().Warning, c.warning)
			})
		})
	}
}

func TestDeleteAfterEndsTheShovel(t *testing.T) {
	for name, c := range map[string]struct {
		after string
		moved int
	}{
		"a number":                       {"120", 120},
		"as many as there were at first": {"queue-length", 300},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.us.Latency(100 * time.Millisecond)
				all := orders("eu", 400)
				w.eu.Put("orders", all[:300]...)
				w.run("  x: {source: {queue: orders}, destinations: [{broker: us, queue: orders}], delete-after: " + c.after + "}\n")
				w.after(50 * time.Millisecond)
				w.eu.Put("orders", all[300:]...)
				w.within(time.Minute, "it ends", func() bool { return w.status().State == link.Finished })
				same(t, "moved", w.us.Bodies("orders"), all[:c.moved])
				same(t, "left", w.eu.Bodies("orders"), all[c.moved:])
				w.always(time.Hour, "it does not begin again", func() bool { return depth(w.eu, "orders") == 400-c.moved })
			})
		})
	}
}

func TestPredeclaredDeclaresNothingAndWaits(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(`
  x:
    source: {queue: outbox, predeclared: true}
    destinations: [{broker: us, queue: inbox, predeclared: true}]
`)
		w.after(time.Minute)
		if slices.Contains(w.eu.QueueNames(), "outbox") || slices.Contains(w.us.QueueNames(), "inbox") {
			t.Fatal("declared what it should wait for")
		}
		holds(t, "the reason", w.status().Reason, broker.ErrNotFound.Error())
		w.us.Declare("inbox", memory.Queue{})
		w.eu.Declare("outbox", memory.Queue{})
		w.eu.Put("outbox", "1")
		w.within(35*time.Second, "it goes", func() bool { return depth(w.us, "inbox") == 1 })
	})
}

func TestMissingQueuesAreDeclaredWithTheirArguments(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(`
  x:
    source: {queue: outbox, queue-args: {x-max-length: 2}}
    destinations: [{broker: us, queue: inbox, queue-args: {x-max-length: 1}}]
    on-refused: {attempts: 2, then: pause}
`)
		w.after(time.Second)
		w.eu.Put("outbox", "1", "2")
		w.within(time.Minute, "inbox takes one", func() bool { return w.status().State == link.Paused })
		same(t, "inbox", w.us.Bodies("inbox"), []string{"1"})
		w.eu.Put("outbox", "3")
		if err := w.eu.Publish(&broker.Message{RoutingKey: "outbox"}); err == nil {
			t.Error("outbox takes more than two")
		}
	})
}

// An exchange is never declared: only its owner knows of what type it is.
func TestMissingExchangeIsWaitedFor(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.Put("orders", "1")
		w.run("  x: {source: {queue: orders}, destinations: [{broker: us, exchange: inbox}]}\n")
		w.always(time.Minute, "it waits", func() bool { return depth(w.eu, "orders") == 1 })
		holds(t, "the reason", w.status().Reason, "exchange=inbox")
		w.us.DeclareExchange("inbox", memory.Fanout)
		w.us.Bind("orders", "inbox", "")
		w.within(35*time.Second, "it goes", func() bool { return depth(w.us, "orders") == 1 })
	})
}

func TestPrefetchCountBoundsWhatIsTaken(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.HoldConfirms()
		w.eu.Put("orders", orders("eu", 100)...)
		w.run("  x: {source: {queue: orders, prefetch-count: 7}, destinations: [{broker: us, queue: orders}]}\n")
		w.after(10 * time.Second)
		if n := unacked(w, "orders"); n != 7 {
			t.Errorf("%d taken, want 7", n)
		}
	})
}

func TestRateLimitBoundsWhatIsSent(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.Put("orders", orders("eu", 5000)...)
		w.run("  x: {source: {queue: orders}, destinations: [{broker: us, queue: orders}], rate-limit: 100/s}\n")
		w.after(20 * time.Second)
		if n := depth(w.us, "orders"); n < 1900 || n > 2100 {
			t.Errorf("%d sent in 20 s at 100/s", n)
		}
	})
}

func TestShovelDeclaredPausedWaitsForResume(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.Put("orders", "1")
		w.run("  x: {source: {queue: orders}, destinations: [{broker: us, queue: orders}], paused: true}\n")
		w.after(time.Second)
		w.always(time.Minute, "it waits", func() bool { return depth(w.us, "orders") == 0 && w.status().State == link.Paused })
		w.link("x").Resume()
		w.within(time.Second, "it goes", func() bool { return depth(w.us, "orders") == 1 })
	})
}

func TestUnroutableMessageIsDeadLetteredAsItCame(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.DeclareExchange("inbox", memory.Topic) // with no binding
		w.ap.DeclareExchange("failed", memory.Fanout)
		w.ap.Bind("orders", "failed", "")
		headers := broker.Table{"tenant": "a"}
		w.publish(w.eu, &broker.Message{RoutingKey: "orders", Body: []byte("1"), Headers: headers,
			Properties: broker.Properties{UserID: "shop", MessageID: "m1"}})
		w.run(`
  x:
    source: {queue: orders}
    destinations: [{broker: us, exchange: inbox, add-timestamp-header: true, add-forward-headers: true, publish-properties: {priority: 9}}]
    max-hops: 1
    on-unroutable: {attempts: 3, then: dead-letter, dead-letter: {broker: ap, exchange: failed, routing-key: orders.eu}}
`)
		w.within(time.Minute, "it is dead-lettered", func() bool { return depth(w.ap, "orders") == 1 })
		m := w.ap.Messages("orders")[0]
		if m.RoutingKey != "orders.eu" || len(m.Headers) != 1 || m.Headers["tenant"] != "a" || m.Properties.Priority != 0 {
			t.Errorf("dead-lettered %+v", m)
		}
		// A broker would refuse it for another's user-id, and the shovel would pause.
		if m.Properties.UserID != "" || m.Properties.MessageID != "m1" {
			t.Errorf("properties %+v", m.Properties)
		}
		w.within(time.Second, "it is acked", func() bool { return depth(w.eu, "orders") == 0 && unacked(w, "orders") == 0 })
	})
}

// unacked is how many messages the gateway holds of a queue at home.
func unacked(w *world, queue string) int64 {
	w.Helper()
	d, err := w.eu.Depth(w.Context(), broker.Address{Queue: queue})
	if err != nil {
		w.Fatal(err)
	}
	return d.Unacked.N
}
