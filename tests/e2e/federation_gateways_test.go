package e2e

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"weir/link"
	"weir/tests/lab"
)

// Ensure that of two gateways with the same configuration one stands by, and goes on in order when the other is killed.
func TestFederatedExchangeGatewayDies(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		takesOver(t, broker, syscall.SIGKILL, federationLimit)
	})
}

// Ensure that it also goes on, within half a minute, when the other one is frozen.
func TestFederatedExchangeGatewayFreezes(t *testing.T) {
	t.Parallel()
	takesOver(t, lab.RabbitMQ(t, "newest"), syscall.SIGSTOP, 40*time.Second)
}

func takesOver(t *testing.T, broker *lab.Broker, signal syscall.Signal, limit time.Duration) {
	t.Helper()
	at, config := sites(t, broker, "eu", "us")
	eu, us := at[0], at[1]
	eu.exchange("fed", "topic")
	eu.queue("q", "fed", "#")
	const name = "us/exchanges/fed"
	one := startGateway(t, config+fromUS)
	eventually(t, federationLimit, "running", func() bool { return one.has(name, link.Running, link.Idle) })
	two := startGateway(t, config+fromUS)
	eventually(t, federationLimit, "standing by", func() bool { return two.has(name, link.Standby) })
	us.send("fed", "key", prefixed("before ", 50)...)
	eu.gets("q", prefixed("before ", 50)...)

	eu.must(one.cmd.Process.Signal(signal))
	t.Cleanup(func() { _ = one.cmd.Process.Signal(syscall.SIGCONT) }) // else it could not be stopped
	us.send("fed", "key", prefixed("after ", 50)...)
	begin := time.Now()
	var got []string
	eventually(t, limit, "taken over", func() bool {
		got = append(got, eu.take("q", 0)...)
		return len(got) >= 50
	})
	t.Logf("taken over after %v", time.Since(begin).Round(100*time.Millisecond))
	if want := prefixed("after ", 50); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v, in this order", got, want)
	}
}

// has tells whether a link is there, and in one of these states.
func (g *gateway) has(name string, states ...link.State) bool {
	g.t.Helper()
	for _, s := range g.statuses() {
		if s.Name == name {
			return slices.Contains(states, s.State)
		}
	}
	return false
}
