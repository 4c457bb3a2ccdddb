package amqp

import (
	"testing"
	"time"
)

// Ensure a node is told of while it is down, and for some time after.
func TestOutage(t *testing.T) {
	var (
		o     outage
		whole = []node{{"rabbit@1", true}, {"rabbit@2", true}}
		worn  = []node{{"rabbit@1", true}, {"rabbit@2", false}}
		began = time.Unix(1000, 0)
	)
	for _, c := range []struct {
		after time.Duration
		nodes []node
		want  string
	}{
		{0, whole, ""},
		{time.Second, worn, "rabbit@2 of its cluster is down"},
		{time.Hour, worn, "rabbit@2 of its cluster is down"},
		{time.Hour + recovery - 1, whole, "rabbit@2 of its cluster recovers"},
		{time.Hour + recovery, whole, ""},
	} {
		if got := o.look(c.nodes, began.Add(c.after)); got != c.want {
			t.Errorf("after %v: %q, want %q", c.after, got, c.want)
		}
	}
}
