package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
	"weir/tests/shop"
)

const plainShovel = `
shovels:
  orders:
    source: {queue: orders}
    destinations: [{broker: us, exchange: orders, routing-key: order.created}]
`

// pair is two regions on vhosts of one node, and the configuration of brokers for them.
func pair(t *testing.T, version string) (home, away shop.Rabbit, brokers string) {
	t.Helper()
	broker := lab.RabbitMQ(t, version)
	home, away = shop.Rabbit{VHost: broker.VHost(t)}, shop.Rabbit{VHost: broker.VHost(t)}
	home.Declare(t, "orders")
	away.Declare(t, "orders")
	return home, away, "version: 1\nsite: eu\nlocal: eu\nbrokers:\n  eu: " + home.YAML() + "\n  us: " + away.YAML()
}

// publishAll publishes orders, and returns when all are stored.
func publishAll(t *testing.T, to shop.Region, first, end int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := to.Publish(ctx, first, end); err != nil {
		t.Fatalf("publish orders %d to %d: %v", first, end-1, err)
	}
}

// Ensure SIGTERM in full flow drains: weir exits with 0, and another one that takes over finds every order either gone or
// untouched. Nothing is lost, nothing comes twice, order is kept.
func TestStopInFullFlow(t *testing.T) {
	for _, version := range lab.Versions() {
		t.Run(version, func(t *testing.T) {
			home, away, brokers := pair(t, version)
			const n = 20_000
			ledger := new(shop.Orders)
			ctx, cancel := context.WithCancel(t.Context())
			var apps sync.WaitGroup
			defer apps.Wait()
			defer cancel()
			apps.Go(func() { _ = away.Consume(ctx, "orders", 0, ledger.AtAway) })
			publishAll(t, home, 0, n)
			for _, goal := range []int{4_000, 8_000} {
				g := built.Start(t, brokers+plainShovel)
				await.That(t, 2*time.Minute, "in full flow", func() bool {
					_, _, distinct := ledger.Counts()
					return distinct > goal
				})
				if code := g.Terminate(); code != 0 {
					t.Errorf("exit code %d after SIGTERM, want 0", code)
				}
			}
			built.Start(t, brokers+plainShovel)
			await.That(t, 2*time.Minute, "all consumed", func() bool {
				_, _, distinct := ledger.Counts()
				return distinct == n
			})
			ledger.WantAll(t, n, true)
			ledger.WantOrder(t)
		})
	}
}

// Ensure a reload with mistakes in the file changes nothing and tells them with their lines, and a good one restarts only
// the shovel that it changes.
func TestReload(t *testing.T) {
	t.Parallel()
	home, away, brokers := pair(t, "3.10")
	home.Declare(t, "returns")
	away.Declare(t, "returns")
	shovels := plainShovel + `
  returns:
    source: {queue: returns}
    destinations: [{broker: us, exchange: returns, routing-key: order.returned}]
`
	g := built.Start(t, brokers+shovels)
	running := func(name string) bool { return strings.Contains("running idle", string(g.Status(name).State)) }
	await.That(t, federationLimit, "running", func() bool { return running("orders") && running("returns") })

	g.Write(brokers + strings.Replace(shovels, "broker: us, exchange: returns", "broker: su, exchange: returns", 1))
	out, err := g.Run("reload")
	if err == nil || !strings.Contains(out, `no broker "su"; did you mean "us"?`) {
		t.Errorf("reload of a file with a mistake: %v, printed %q", err, out)
	}
	if !running("orders") || !running("returns") {
		t.Error("a reload that failed stopped a shovel")
	}

	g.Write(brokers + strings.Replace(shovels, "order.returned", "order.sent-back", 1))
	if out, err := g.Run("reload"); err != nil {
		t.Fatalf("reload: %v\n%s", err, out)
	}
	await.That(t, federationLimit, "opened for the second time", func() bool {
		return running("returns") && len(g.Log.Lines("link open", "link=returns")) == 2
	})
	if got := g.Log.Lines("link open", "link=orders"); len(got) != 1 {
		t.Errorf("the unchanged shovel was opened %d times", len(got))
	}
}
