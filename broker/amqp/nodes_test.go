package amqp

import (
	"testing"
	"time"
)

// Ensure queues are told of that are down with a node, while that is so and for some time after; and no others.
func TestOutage(t *testing.T) {
	var (
		o      outage
		whole  = []node{{"rabbit@1", true}, {"rabbit@2", true}}
		worn   = []node{{"rabbit@1", true}, {"rabbit@2", false}}
		led    = []queueState{{"orders", "rabbit@1", "running"}, {"mirrored", "", "live"}}
		down   = append(led, queueState{"invoices", "rabbit@2", "down"})
		failed = append(down, queueState{"audit", "rabbit@1", "minority"}, queueState{"events", "rabbit@2", "live"})
		began  = time.Unix(1000, 0)
	)
	for _, c := range []struct {
		after  time.Duration
		nodes  []node
		queues []queueState
		want   string
	}{
		{0, whole, nil, ""},
		{time.Second, worn, led, ""},
		{2 * time.Second, worn, down, `queue "invoices" cannot be reached: node rabbit@2 is down`},
		{time.Hour, worn, failed, `queue "invoices" and 2 more cannot be reached: node rabbit@2 is down`},
		{time.Hour + recovery - 1, whole, nil, `queue "invoices" and 2 more may not have recovered yet`},
		{time.Hour + recovery, whole, nil, ""},
	} {
		now := began.Add(c.after)
		if got := o.look(c.nodes, c.queues, now); got != c.want {
			t.Errorf("after %v: %q, want %q", c.after, got, c.want)
		}
		if got, fresh := o.last(now.Add(outageFresh - 1)); got != c.want || !fresh {
			t.Errorf("after %v: remembers %q, fresh %v", c.after, got, fresh)
		}
		if _, fresh := o.last(now.Add(outageFresh)); fresh {
			t.Errorf("after %v: fresh for too long", c.after)
		}
	}
}
