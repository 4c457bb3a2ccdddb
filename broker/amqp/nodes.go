package amqp

import (
	"context"
	"strings"
	"sync"
	"time"
)

// passing implements broker.Passing: a message is refused, or returned, also because a queue is on a node that is down.
// RabbitMQ 3.x then takes the queue's bindings away, and 4.x answers with basic.nack.
type passing struct {
	error
	broker *Broker
}

func (p passing) Unwrap() error { return p.error }

// Passing implements broker.Passing. It takes a management API, and a user with the tag monitoring, to know.
func (p passing) Passing(ctx context.Context) string {
	m, err := p.broker.api()
	if err != nil {
		return ""
	}
	var nodes []node
	if err := m.list(ctx, &nodes, "name,running", "nodes"); err != nil {
		return ""
	}
	return p.broker.outage.look(nodes, time.Now())
}

// node is what the management API tells of one of the cluster.
type node struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
}

// recovery is how long a node that is back may still be busy with its queues. Each of them refuses messages until it has been
// recovered.
const recovery = time.Minute

// outage remembers which nodes were down when somebody looked.
type outage struct {
	mu    sync.Mutex
	seen  time.Time // when last
	nodes string
}

// look says which nodes are down, or were until just now; empty: none.
func (o *outage) look(nodes []node, now time.Time) string {
	var down []string
	for _, n := range nodes {
		if !n.Running {
			down = append(down, n.Name)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(down) > 0:
		o.seen, o.nodes = now, strings.Join(down, ", ")
		return o.nodes + " of its cluster is down"
	case now.Sub(o.seen) < recovery:
		return o.nodes + " of its cluster recovers"
	}
	return ""
}
