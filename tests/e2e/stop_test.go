package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/tests/lab"
)

const plainShovel = `
shovels:
  orders:
    source: {queue: orders}
    destinations: [{broker: us, exchange: orders, routing-key: order.created}]
`

// pair is two regions on vhosts of one node, and the configuration of brokers for them.
func pair(t *testing.T, version string) (home, away rabbit, brokers string) {
	t.Helper()
	broker := lab.RabbitMQ(t, version)
	home, away = rabbit{broker.VHost(t)}, rabbit{broker.VHost(t)}
	home.declare(t, "orders")
	away.declare(t, "orders")
	return home, away, "version: 1\nsite: eu\nlocal: eu\nbrokers:\n  eu: " + home.yaml() + "\n  us: " + away.yaml()
}

// Ensure SIGTERM in full flow drains: weir exits with 0, and another one that takes over finds every order either gone or
// untouched. Nothing is lost, nothing comes twice, order is kept.
func TestStopInFullFlow(t *testing.T) {
	for _, version := range lab.Versions() {
		t.Run(version, func(t *testing.T) {
			home, away, brokers := pair(t, version)
			const n = 20_000
			ledger := new(orders)
			ctx, cancel := context.WithCancel(t.Context())
			var apps sync.WaitGroup
			defer apps.Wait()
			defer cancel()
			apps.Go(func() { _ = away.consume(ctx, "orders", 0, ledger.atAway) })
			if err := home.publish(ctx, 0, n); err != nil {
				t.Fatal(err)
			}
			for _, goal := range []int{4_000, 8_000} {
				g := startGateway(t, brokers+plainShovel)
				eventually(t, time.Minute, "in full flow", func() bool {
					_, _, distinct := ledger.counts()
					return distinct > goal
				})
				if code := g.terminate(); code != 0 {
					t.Errorf("exit code %d after SIGTERM, want 0", code)
				}
			}
			startGateway(t, brokers+plainShovel)
			eventually(t, time.Minute, "all consumed", func() bool {
				_, _, distinct := ledger.counts()
				return distinct == n
			})
			ledger.wantAll(t, n, true)
			ledger.wantOrder(t)
		})
	}
}

// Ensure a reload with mistakes in the file changes nothing and tells them with their lines, and a good one restarts only
// the shovel that it changes.
func TestReload(t *testing.T) {
	home, away, brokers := pair(t, "3.10")
	home.declare(t, "returns")
	away.declare(t, "returns")
	shovels := plainShovel + `
  returns:
    source: {queue: returns}
    destinations: [{broker: us, exchange: returns, routing-key: order.returned}]
`
	g := startGateway(t, brokers+shovels)
	running := func(name string) bool { return strings.Contains("running idle", string(g.status(name).State)) }
	eventually(t, 20*time.Second, "running", func() bool { return running("orders") && running("returns") })

	g.write(brokers + strings.Replace(shovels, "broker: us, exchange: returns", "broker: su, exchange: returns", 1))
	out, err := g.run("reload")
	if err == nil || !strings.Contains(out, `no broker "su"; did you mean "us"?`) {
		t.Errorf("reload of a file with a mistake: %v, printed %q", err, out)
	}
	if !running("orders") || !running("returns") {
		t.Error("a reload that failed stopped a shovel")
	}

	g.write(brokers + strings.Replace(shovels, "order.returned", "order.sent-back", 1))
	if out, err := g.run("reload"); err != nil {
		t.Fatalf("reload: %v\n%s", err, out)
	}
	eventually(t, 20*time.Second, "running again", func() bool { return running("returns") })
	if got := g.log.lines("link open", "link=orders"); len(got) != 1 {
		t.Errorf("the unchanged shovel was opened %d times", len(got))
	}
	if got := g.log.lines("link open", "link=returns"); len(got) != 2 {
		t.Errorf("the changed shovel was opened %d times, want 2", len(got))
	}
}
