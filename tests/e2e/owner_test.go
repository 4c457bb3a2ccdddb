package e2e

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/link"
	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/shop"
)

// owned is a shovel that one of several gateways runs. The rate leaves time to end that one in full flow; ownedWindow is
// what it may hold then.
const (
	ownedWindow = 500
	owned       = `
shovels:
  orders:
    source: {queue: orders, prefetch-count: 500}
    destinations: [{broker: us, exchange: orders, routing-key: order.created}]
    rate-limit: 2000/s
    confirm-timeout: 5s
    single-owner: true
`
	ownedOverflow = owned + "    overflow: {messages-ready: {start: 1000, stop: 100}, for: 1s}\n"
)

// Ensure that of two gateways with one configuration one stands by, and takes over from the other when that is stopped:
// nothing is lost, nothing comes twice, order is kept.
func TestOwnerIsStopped(t *testing.T) {
	eachOwned(t, func(t *testing.T, home, away shop.Region, config string) {
		ledger := handOver(t, home, away, config, syscall.SIGTERM)
		ledger.WantAll(t, orderedCount, true)
		ledger.WantOrder(t)
	})
}

// Ensure that it also takes over from one that is killed: nothing is lost, and what comes twice or late is no more than
// what that one held.
func TestOwnerIsKilled(t *testing.T) {
	eachOwned(t, func(t *testing.T, home, away shop.Region, config string) {
		ledger := handOver(t, home, away, config, syscall.SIGKILL)
		ledger.WantAll(t, orderedCount, false)
		late, twice := ledger.LateAndTwice()
		if late > ownedWindow || twice > ownedWindow {
			t.Errorf("%d orders came late, %d came twice, want %d at most", late, twice, ownedWindow)
		}
	})
}

const orderedCount = 10_000

// eachOwned runs a test over the oldest and the newest RabbitMQ, and over JetStream.
func eachOwned(t *testing.T, test func(t *testing.T, home, away shop.Region, config string)) {
	t.Helper()
	t.Parallel()
	for version, shovel := range map[string]string{"3.10": owned, "newest": ownedOverflow} {
		t.Run(version, func(t *testing.T) {
			home, away, brokers := pair(t, version)
			test(t, home, away, brokers+shovel)
		})
	}
	t.Run("jetstream", func(t *testing.T) {
		eu, us := newEmbedded(t, "eu"), newEmbedded(t, "us")
		built.Start(t, "version: 1\nsite: host\nlocal: eu\nbrokers:\n  eu: "+eu.YAML()+"\n  us: "+us.YAML())
		home := natsRegion{eu.jetstream(t), "q_orders", "orders"}
		away := natsRegion{us.jetstream(t), "x_orders", "consumers"}
		us.declareBound(t, away.js, "orders", "consumers", "order.>")
		test(t, home, away, fmt.Sprintf("version: 1\nsite: eu\nlocal: eu\nbrokers:\n"+
			"  eu: {type: nats, uris: [%q]}\n  us: {type: nats, uris: [%q]}", "nats://"+eu.address, "nats://"+us.address)+owned)
	})
}

// handOver has the owner of a shovel end in full flow while another gateway stands by, and waits until all is consumed.
func handOver(t *testing.T, home, away shop.Region, config string, signal syscall.Signal) *shop.Orders {
	t.Helper()
	ledger := new(shop.Orders)
	ctx, cancel := context.WithCancel(t.Context())
	var apps sync.WaitGroup
	defer apps.Wait()
	defer cancel()
	one := built.Start(t, config)
	await.That(t, federationLimit, "the owner", func() bool { return one.Has("orders", link.Idle, link.Shut) })
	two := built.Start(t, config)
	await.That(t, federationLimit, "standing by", func() bool { return two.Has("orders", link.Standby) })
	apps.Go(func() { _ = away.Consume(ctx, "orders", 0, ledger.AtAway) })
	publishAll(t, home, 0, orderedCount/2)
	moved := func(n int) func() bool {
		return func() bool {
			_, _, distinct := ledger.Counts()
			return distinct > n
		}
	}
	await.That(t, federationLimit, "in full flow", moved(2_000))
	if s := two.Status("orders"); s.State != link.Standby || s.Reason == "" || s.Counts.Received > 0 {
		t.Errorf("the other one is %s (%s) and has received %d", s.State, s.Reason, s.Counts.Received)
	}
	began := time.Now()
	if signal == syscall.SIGTERM {
		if code := one.Terminate(); code != 0 {
			t.Errorf("exit code %d after SIGTERM, want 0", code)
		}
	} else {
		one.Signal(signal)
	}
	publishAll(t, home, orderedCount/2, orderedCount) // so that something is left, however fast that one was
	await.That(t, 2*time.Minute, "taken over", func() bool { return two.Status("orders").Counts.Confirmed > 0 })
	t.Logf("taken over after %v", time.Since(began).Round(100*time.Millisecond))
	await.That(t, federationLimit, "at rest", func() bool { return two.Has("orders", link.Idle, link.Shut) && moved(orderedCount/2)() })
	apps.Go(func() { _ = home.Consume(ctx, "orders", 0, ledger.AtHome) }) // what an overflow leaves
	await.That(t, 2*time.Minute, "all consumed", moved(orderedCount-1))
	return ledger
}
