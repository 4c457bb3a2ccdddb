package lab_test

import (
	"testing"
	"time"

	wait "weir/tests/await"
	"weir/tests/lab"
)

// Ensure a node that is cut off is alone, that it pauses where a minority is to, and that it comes back when the partition heals.
func TestPartition(t *testing.T) {
	t.Parallel()
	cluster := lab.StartCluster(t, lab.Spec{Version: "4.0", Nodes: 3, Config: "cluster_partition_handling = pause_minority\n"})
	runs := func(want string) func() bool {
		return func() bool { return cluster.Eval(2, "rabbit:is_running().") == want }
	}
	cluster.Partition(2)
	wait.That(t, time.Minute, "paused", runs("false"))
	if running := cluster.Eval(0, "lists:sort([rabbit | nodes()])."); running != "[rabbit, rabbit2@localhost]" {
		t.Errorf("the first node sees %s", running)
	}
	cluster.Heal(2)
	wait.That(t, time.Minute, "back", runs("true"))
}
