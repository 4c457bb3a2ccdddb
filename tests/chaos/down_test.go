package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/amqp"
	"weir/link"
	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
	"weir/tests/shop"
)

// downShovels have one end each in a classic queue whose only node goes down. A message may be refused once.
const downShovels = `
shovels:
  from-home: {source: {queue: home}, destinations: [{broker: us, queue: arrived}]}
  to-home:
    source: {queue: orders}
    destinations: [{broker: us, exchange: home, routing-key: order.created}]
    on-refused: {attempts: 1, then: dead-letter, dead-letter: {exchange: dead, routing-key: order.dead}}
    on-unroutable: {attempts: 1, then: dead-letter, dead-letter: {exchange: dead, routing-key: order.dead}}
`

// A classic queue that is not mirrored is out of reach while its node is down: RabbitMQ 3.10 says that it is not there and
// takes its bindings away, 4.0 does not answer or refuses messages. weir waits, says why, and goes on when the node is back;
// it declares nothing anew and gives no message up.
func TestWhileTheOnlyNodeOfAQueueIsDown(t *testing.T) {
	for _, version := range []string{"3.10", "4.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			cluster := lab.StartCluster(t, lab.Spec{Version: version, Nodes: 3, Name: "eu"})
			eu, us := cluster.VHost(t), cluster.VHost(t)
			quorum := amqp091.Table{"x-queue-type": "quorum"}
			queueOn(t, eu, 2, "home", nil)
			queueOn(t, us, 2, "home", nil)
			queueOn(t, eu, 0, "orders", quorum)
			queueOn(t, us, 0, "arrived", quorum)
			queueOn(t, eu, 0, "dead", quorum)
			config := "version: 1\nsite: eu\nlocal: eu\nbrokers:\n  eu: " + shop.Rabbit{VHost: eu}.YAML() + "\n  us: " + shop.Rabbit{VHost: us}.YAML()
			g := built.Start(t, config+downShovels)
			moving := func() bool { return g.Has("from-home", link.Idle) && g.Has("to-home", link.Idle) }
			await.That(t, time.Minute, "open", moving)

			fill(t, eu.Channel(), "home", 100)
			await.That(t, time.Minute, "moving", func() bool { return g.Status("from-home").Counts.Confirmed == 100 })
			cluster.Kill(2)
			fill(t, eu.Channel(), "orders", 100)
			await.That(t, 2*time.Minute, "waiting for the node", func() bool {
				s := g.Status("to-home")
				return s.State == link.Retrying && strings.Contains(s.Reason, cluster.Nodes[2].Name+" is down")
			})
			await.That(t, 2*time.Minute, "retrying", func() bool {
				return len(g.Log.Lines("link=from-home", "state=retrying", "down")) > 0
			})
			looks(t, us)
			cluster.Restart(2)
			await.That(t, 2*time.Minute, "going on", moving)
			collect(t, us.Channel(), "home", 100)
			if d, ok, err := eu.Channel().Get("dead", true); err != nil || ok {
				t.Errorf("dead-lettered: %q, error %v", d.Body, err)
			}
		})
	}
}

// looks asks what a gateway asks of a cluster: every queue is listed, and one that does not answer does not keep others from
// answering.
func looks(t *testing.T, vhost *lab.VHost) {
	t.Helper()
	b := driver(t, vhost)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	list, err := b.Queues(ctx)
	if err != nil {
		t.Fatal(err)
	}
	waiting, err := b.Waiting(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"home", "arrived"} {
		if !slices.ContainsFunc(list, func(q broker.Queue) bool { return q.Name == name }) {
			t.Errorf("queue %s is not listed, only %+v", name, list)
		}
		if !slices.ContainsFunc(waiting, func(w broker.Waiting) bool { return w.Name == name }) {
			t.Errorf("buffer %s is not listed, only %+v", name, waiting)
		}
	}
	for range 20 {
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		_, _ = b.Depth(short, broker.Address{Queue: "home"}) // its answer may take a minute
		cancel()
	}
	if _, err := b.Depth(ctx, broker.Address{Queue: "arrived"}); err != nil {
		t.Error(err)
	}
}

// driver is a broker on all nodes of a cluster, in order, with its management API.
func driver(t *testing.T, vhost *lab.VHost) *amqp.Broker {
	t.Helper()
	var uris []string
	for _, n := range vhost.Broker.Nodes {
		uris = append(uris, fmt.Sprintf("amqp://127.0.0.1:%d", n.AMQP))
	}
	b := amqp.New(amqp.Config{
		Name: vhost.Name, URIs: uris, VHost: vhost.Name, Management: amqp.Management{URIs: vhost.Management()},
		Credentials: func() (string, string, error) { return vhost.Username, vhost.Password, nil },
	}, slog.New(slog.DiscardHandler))
	t.Cleanup(b.Close)
	return b
}
