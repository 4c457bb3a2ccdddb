package amqp

import (
	"context"
	"fmt"
	"slices"
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

// Passing implements broker.Passing. It takes a management API, and a user with the tag monitoring, to know. Of quorum and
// mirrored queues that go on without the node it says nothing.
func (p passing) Passing(ctx context.Context) string {
	b := p.broker
	if why, fresh := b.outage.last(time.Now()); fresh {
		return why
	}
	m, err := b.api()
	if err != nil {
		return ""
	}
	var nodes []node
	var queues []queueState
	if err := m.list(ctx, &nodes, "name,running", "nodes"); err != nil {
		return ""
	}
	if slices.ContainsFunc(nodes, func(n node) bool { return !n.Running }) {
		if err := m.list(ctx, &queues, "name,node,state", "queues", b.config.VHost); err != nil {
			return ""
		}
	}
	return b.outage.look(nodes, queues, time.Now())
}

// node is what the management API tells of one of the cluster.
type node struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
}

// queueState is what it tells of a queue: the node of its leader; "down" if that is down and nobody can take over, "minority" if too
// few of its members are left. RabbitMQ 3.10 tells of a stream by its node alone.
type queueState struct {
	Name  string `json:"name"`
	Node  string `json:"node"`
	State string `json:"state"`
}

const (
	// recovery is how long a node that is back may still be busy with its queues. Each of them refuses messages until it has been
	// recovered.
	recovery = time.Minute
	// outageFresh is how long what was seen is not asked for again, so that many refused messages do not ask for each.
	outageFresh = time.Second
)

// outage remembers which queues of the vhost were down with their nodes when somebody looked.
type outage struct {
	mu     sync.Mutex
	looked time.Time
	why    string
	seen   time.Time // when queues were down last
	queues string
}

// last is what look said, and whether that is fresh.
func (o *outage) last(now time.Time) (why string, fresh bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.why, now.Sub(o.looked) < outageFresh
}

// look says which queues are down, or were until just now; empty: none.
func (o *outage) look(nodes []node, queues []queueState, now time.Time) (why string) {
	var down, gone []string
	for _, n := range nodes {
		if !n.Running {
			down = append(down, n.Name)
		}
	}
	for _, q := range queues {
		if q.State == "down" || q.State == "minority" || slices.Contains(down, q.Node) {
			gone = append(gone, q.Name)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(gone) > 0:
		o.seen, o.queues = now, fmt.Sprintf("queue %q", gone[0])
		if more := len(gone) - 1; more > 0 {
			o.queues += fmt.Sprintf(" and %d more", more)
		}
		o.why = fmt.Sprintf("%s cannot be reached: node %s is down", o.queues, strings.Join(down, ", "))
	case !o.seen.IsZero() && now.Sub(o.seen) < recovery:
		o.why = o.queues + " may not have recovered yet"
	default:
		o.why = ""
	}
	o.looked = now
	return o.why
}
