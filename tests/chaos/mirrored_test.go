package chaos

import (
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
)

// Classic queues that are mirrored, as a source, as a destination, with a single active consumer, as the buffer of a federated
// exchange, and federated themselves: their leader's node dies, first one that weir is not connected to (RabbitMQ then
// moves its consumers to the new leader without a word), then the one that it is. Nothing that was confirmed is lost.
func TestMirroredQueuesLoseTheirLeader(t *testing.T) {
	cluster := lab.StartCluster(t, lab.Spec{Version: "3.10", Nodes: 3, Name: "eu"})
	eu, us := cluster.VHost(t), cluster.VHost(t)
	for _, vhost := range []*lab.VHost{eu, us} {
		vhost.Policy("mirrored", "^(plain|single|catalog|work|weir: catalog.*)$", "queues", map[string]any{
			"ha-mode": "all", "ha-sync-mode": "automatic", "ha-promote-on-failure": "when-synced",
		})
		for _, name := range []string{"plain", "catalog", "work"} {
			queueOn(t, vhost, 1, name, nil)
		}
	}
	queueOn(t, eu, 1, "single", amqp091.Table{"x-single-active-consumer": true})
	queueOn(t, us, 1, "single", nil)
	g := built.Start(t, joined(eu, us, "classic"))
	flows := begin(t, g, eu, us)
	for _, node := range []int{1, 0} {
		flows.goOn(t, 300)
		awaitMirrors(t, 2, eu, us)
		cluster.Kill(node)
		flows.goOn(t, 300)
		cluster.Restart(node)
	}
	flows.wantAll(t, 2)
}

// When the leader of a mirrored queue dies, RabbitMQ 3 lets its consumers go on at the new leader, which delivers anew what is
// unacked and counts it in its own way: an ack of what came before would settle other messages. weir's consumers end instead.
func TestAcksFromBeforeAFailoverSettleNothing(t *testing.T) {
	const n = 100
	cluster := lab.StartCluster(t, lab.Spec{Version: "3.10", Nodes: 3, Name: "eu"})
	vhost := cluster.VHost(t)
	vhost.Policy("mirrored", "^orders$", "queues", map[string]any{
		"ha-mode": "nodes", "ha-params": []string{cluster.Nodes[1].Name, cluster.Nodes[2].Name}, "ha-sync-mode": "automatic",
	})
	queueOn(t, vhost, 1, "orders", nil)
	awaitMirrors(t, 1, vhost)
	ch := vhost.Channel()
	fill(t, ch, "orders", n/2)
	if _, err := ch.QueuePurge("orders", false); err != nil {
		t.Fatal(err)
	}
	cluster.Kill(2) // its mirror counts from 0 again
	cluster.Restart(2)
	awaitMirrors(t, 1, vhost)
	fill(t, ch, "orders", n)

	source, err := driver(t, vhost).OpenSource(t.Context(), broker.Address{Queue: "orders"}, broker.SourceOptions{Window: n})
	if err != nil {
		t.Fatal(err)
	}
	var before []*broker.Message
	for range n {
		m, err := source.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before = append(before, m)
	}
	cluster.Kill(1)
	for range n { // as many as the new leader would deliver
		if _, err := source.Receive(t.Context()); err != nil {
			break
		}
	}
	_ = source.Ack(before[9]) // the ten oldest, which are at their destination by now
	_ = source.Close()
	deliveries, err := vhost.Channel().Consume("orders", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for limit := time.After(2 * time.Minute); !left[body(n-1)]; {
		select {
		case d := <-deliveries:
			left[string(d.Body)] = true
		case <-limit:
			t.Fatalf("the last order has not come, after %d others", len(left))
		}
	}
	for i := 10; i < n; i++ {
		if !left[body(i)] {
			t.Errorf("%s is lost: it was neither acked nor is it left", body(i))
		}
	}
}

// awaitMirrors waits until every queue has so many mirrors in step with it.
func awaitMirrors(t *testing.T, mirrors int, vhosts ...*lab.VHost) {
	t.Helper()
	type queue struct {
		Name   string
		Synced []string `json:"synchronised_slave_nodes"`
	}
	for _, vhost := range vhosts {
		await.That(t, 3*time.Minute, "in step in "+vhost.Name, func() bool {
			var queues []queue
			vhost.Get("queues/{vhost}", &queues)
			for _, q := range queues {
				if len(q.Synced) < mirrors && !strings.HasPrefix(q.Name, "weir: events") {
					return false
				}
			}
			return true
		})
	}
}
