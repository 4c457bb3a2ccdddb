package e2e

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"weir/link"
	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
)

// Ensure that of two gateways with the same configuration one stands by, and goes on in order when the other is killed.
func TestFederatedExchangeGatewayDies(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		takesOver(t, broker, syscall.SIGKILL, federationLimit)
	})
}

// Ensure that it also goes on, within half a minute and what a busy machine adds, when the other one is frozen.
func TestFederatedExchangeGatewayFreezes(t *testing.T) {
	t.Parallel()
	takesOver(t, lab.RabbitMQ(t, "newest"), syscall.SIGSTOP, time.Minute)
}

func takesOver(t *testing.T, broker *lab.Broker, signal syscall.Signal, limit time.Duration) {
	t.Helper()
	at, config := sites(t, broker, "eu", "us")
	eu, us := at[0], at[1]
	eu.exchange("fed", "topic")
	eu.queue("q", "fed", "#")
	const name = "us/exchanges/fed"
	one := built.Start(t, config+fromUS)
	await.That(t, federationLimit, "running", func() bool { return one.Has(name, link.Running, link.Idle) })
	two := built.Start(t, config+fromUS)
	await.That(t, federationLimit, "standing by", func() bool { return two.Has(name, link.Standby) })
	us.send("fed", "key", prefixed("before ", 50)...)
	eu.gets("q", prefixed("before ", 50)...)

	one.Signal(signal)
	t.Cleanup(func() { one.Signal(syscall.SIGCONT) }) // else it could not be stopped
	us.send("fed", "key", prefixed("after ", 50)...)
	begin := time.Now()
	var got []string
	await.That(t, limit, "taken over", func() bool {
		got = append(got, eu.take("q", 0)...)
		return len(got) >= 50
	})
	t.Logf("taken over after %v", time.Since(begin).Round(100*time.Millisecond))
	if want := prefixed("after ", 50); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v, in this order", got, want)
	}
}
