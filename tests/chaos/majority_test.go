package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/link"
	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
	"weir/tests/shop"
)

// Two nodes of three do not answer: nothing can be stored in a quorum queue. The link says so, keeps what it holds, and goes on
// when they are back.
func TestDestinationWithoutAMajority(t *testing.T) {
	cluster := lab.StartCluster(t, lab.Spec{Version: "4.0", Nodes: 3, Name: "us"})
	eu, us := lab.RabbitMQ(t, "4.0").VHost(t), cluster.VHost(t)
	quorum := amqp091.Table{"x-queue-type": "quorum"}
	queueOn(t, eu, 0, "orders", quorum)
	queueOn(t, us, 0, "orders", quorum)
	g := built.Start(t, fmt.Sprintf(`
version: 1
site: eu
local: eu
brokers:
  eu: %s
  us: %s
shovels:
  orders: {source: {queue: orders}, destinations: [{broker: us, queue: orders}]}
defaults: {confirm-timeout: 5s}
`, shop.Rabbit{VHost: eu}.YAML(), shop.Rabbit{VHost: us}.YAML()))
	through := joinedFlows{{"orders", publish(t, eu, "orders", "order.created"), consume(t, us, "orders")}}
	through.goOn(t, 100)
	cluster.Pause(1) // weir is at the first
	cluster.Pause(2)
	await.That(t, 2*time.Minute, "telling that nothing is confirmed", func() bool {
		s := g.Status("orders")
		return s.State == link.Holding && strings.Contains(s.Reason, "no confirm within 5s")
	})
	cluster.Continue(1)
	cluster.Continue(2)
	through.goOn(t, 300)
	through.wantAll(t, 4)
	through[0].to.stop()
	if late := through[0].to.late; late > 0 {
		t.Errorf("%d orders came after later ones", late)
	}
}
