package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
	"weir/tests/shop"
)

// overflowShovels is the section that both tests run, word for word, over different brokers.
const overflowShovels = `
shovels:
  orders-overflow:
    source: {queue: orders}
    destinations: [{broker: us, exchange: orders, routing-key: order.created}]
    overflow:
      messages-ready: {start: 10000, stop: 2000}
      for: 1s
`

const orderCount = 50_000

// mostOpenings is how often overflow can open: between two openings so many more must be published as lie between the
// thresholds.
const mostOpenings = 1 + (orderCount-10_000)/(10_000-2_000)

// decisionsShown is how many of the last decisions status shows.
const decisionsShown = 10

// Ensure that the excess of an overrun region is consumed in another one: every order once, in order on each path; that it opens
// and shuts as often as the thresholds allow at most, and that log and status tell of each. Then again while a node of each cluster dies: every order at
// least once.
func TestOverflowBetweenRabbitMQClusters(t *testing.T) {
	eu, us := startPair(t)
	t.Run("without a fault", func(t *testing.T) {
		home, away := shop.Rabbit{VHost: eu.VHost(t)}, shop.Rabbit{VHost: us.VHost(t)}
		home.Declare(t, "orders")
		away.Declare(t, "orders")
		g := built.Start(t, "version: 1\nsite: eu\nlocal: eu\nbrokers:\n  eu: "+home.YAML()+"\n  us: "+away.YAML()+overflowShovels)
		ledger := overrun(t, home, away, nil)
		ledger.WantAll(t, orderCount, true)
		ledger.WantOrder(t)
		wantDecisions(t, g)
	})
	t.Run("while nodes die", func(t *testing.T) {
		home, away := shop.Rabbit{VHost: eu.VHost(t)}, shop.Rabbit{VHost: us.VHost(t)}
		home.Declare(t, "orders")
		away.Declare(t, "orders")
		g := built.Start(t, "version: 1\nsite: eu\nlocal: eu\nbrokers:\n  eu: "+home.YAML()+"\n  us: "+away.YAML()+overflowShovels)
		ledger := overrun(t, home, away, func() {
			await.That(t, federationLimit, "moving", func() bool { return g.Status("orders-overflow").Counts.Confirmed > 3000 })
			eu.Kill(0)
			us.Kill(0)
			await.That(t, 2*time.Minute, "moving on", func() bool { return g.Status("orders-overflow").Counts.Confirmed > 8000 })
			eu.Restart(0)
			us.Restart(0)
		})
		ledger.WantAll(t, orderCount, false)
	})
}

// startPair starts two clusters of three side by side.
func startPair(t *testing.T) (eu, us *lab.Cluster) {
	t.Helper()
	var both sync.WaitGroup
	both.Go(func() { eu = lab.StartCluster(t, lab.Spec{Version: "4.0", Nodes: 3, Name: "eu"}) })
	both.Go(func() { us = lab.StartCluster(t, lab.Spec{Version: "4.0", Nodes: 3, Name: "us"}) })
	both.Wait()
	return eu, us
}

// Ensure that the same shovels do the same over brokers that weir runs itself.
func TestOverflowBetweenEmbeddedBrokers(t *testing.T) {
	eu, us := newEmbedded(t, "eu"), newEmbedded(t, "us")
	g := built.Start(t, "version: 1\nsite: eu\nlocal: eu\nbrokers:\n  eu: "+eu.YAML()+"\n  us: "+us.YAML()+overflowShovels)
	home := natsRegion{eu.jetstream(t), "q_orders", "orders"}
	away := natsRegion{us.jetstream(t), "x_orders", "consumers"}
	eu.declareQueue(t, home.js, "orders")
	us.declareBound(t, away.js, "orders", "consumers", "order.>")
	ledger := overrun(t, home, away, nil)
	ledger.WantAll(t, orderCount, true)
	ledger.WantOrder(t)
	wantDecisions(t, g)
}

// overrun publishes all orders while home consumes slowly and away fast, until every order was consumed. meanwhile runs
// beside it.
func overrun(t *testing.T, home, away shop.Region, meanwhile func()) *shop.Orders {
	t.Helper()
	ledger := new(shop.Orders)
	ctx, cancel := context.WithCancel(t.Context())
	var apps sync.WaitGroup
	defer apps.Wait()
	defer cancel()
	work := func(what string, f func() error) {
		apps.Go(func() {
			if err := f(); err != nil && ctx.Err() == nil {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	work("consumer at home", func() error { return home.Consume(ctx, "orders", 400, ledger.AtHome) })
	work("consumer away", func() error { return away.Consume(ctx, "orders", 0, ledger.AtAway) })
	work("publisher", func() error { return home.Publish(ctx, 0, orderCount) })
	if meanwhile != nil {
		meanwhile()
	}
	await.That(t, 4*time.Minute, "every order consumed", func() bool {
		_, _, distinct := ledger.Counts()
		return distinct == orderCount || t.Failed()
	})
	return ledger
}

// wantDecisions fails unless overflow opened, no more often than the thresholds allow, shut as often, and both log and
// status tell of it.
func wantDecisions(t *testing.T, g *built.Gateway) {
	t.Helper()
	await.That(t, federationLimit, "shut", func() bool {
		return !g.Status("orders-overflow").Overflow.Open && len(g.Log.Lines("overflow opens")) == len(g.Log.Lines("overflow shuts"))
	})
	opened, shut := g.Log.Lines("overflow opens"), g.Log.Lines("overflow shuts")
	if len(opened) == 0 || len(opened) > mostOpenings {
		t.Errorf("opened and shut %d times, want 1 to %d:\n%v%v", len(opened), mostOpenings, opened, shut)
	}
	overflow := g.Status("orders-overflow").Overflow
	if len(overflow.Decisions) != min(len(opened)+len(shut), decisionsShown) {
		t.Errorf("status shows %d decisions, the log %d", len(overflow.Decisions), len(opened)+len(shut))
	}
	for _, d := range overflow.Decisions {
		if d.Depth.Ready == nil || d.Open && *d.Depth.Ready < 10_000 || !d.Open && *d.Depth.Ready > 2_000 {
			t.Errorf("decision against the thresholds: %+v", d)
		}
	}
}
