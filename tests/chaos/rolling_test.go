package chaos

import (
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
)

// A cluster of three with quorum queues, as a source and as a destination, under every kind of link: one node after the other is
// drained and restarted, or killed. weir moves to another node by itself, and nothing that was confirmed is lost.
func TestClusterOfThree(t *testing.T) {
	cluster := lab.StartCluster(t, lab.Spec{Version: "4.0", Nodes: 3, Name: "eu"})
	eu, us := cluster.VHost(t), cluster.VHost(t)
	for i, name := range []string{"plain", "single", "catalog", "work"} {
		for _, vhost := range []*lab.VHost{eu, us} {
			queueOn(t, vhost, i%3, name, amqp091.Table{"x-queue-type": "quorum"})
		}
	}
	g := built.Start(t, joined(eu, us, "quorum"))
	flows := begin(t, g, eu, us)
	flows.goOn(t, 100)
	for i := range 3 {
		drain(t, cluster, i)
		flows.goOn(t, 100)
		revive(t, cluster, i)
	}
	for i := range 3 {
		cluster.Kill(i)
		flows.goOn(t, 100)
		cluster.Restart(i)
	}
	flows.wantAll(t, 6)
}

// drain stops a node as for an upgrade: clients are asked to leave, leaders move, then it stops.
func drain(t *testing.T, cluster *lab.Cluster, i int) {
	t.Helper()
	cluster.Eval(i, "rabbit_maintenance:drain().")
	cluster.Eval(i, "rabbit:stop().")
}

// revive starts a node that drain has stopped.
func revive(t *testing.T, cluster *lab.Cluster, i int) {
	t.Helper()
	cluster.Eval(i, "rabbit:start().")
	cluster.Eval(i, "rabbit_maintenance:revive().")
	awaitRunning(t, cluster)
}

// awaitRunning waits until every node says that every node runs.
func awaitRunning(t *testing.T, cluster *lab.Cluster) {
	t.Helper()
	for i := range cluster.Nodes {
		await.That(t, 2*time.Minute, "whole again as "+cluster.Nodes[i].Name+" sees it", func() bool {
			return cluster.Eval(i, "length(rabbit_nodes:list_running()).") == "3"
		})
	}
}
