package federation

import (
	"fmt"
	"testing"
	"time"
)

// Ensure that queues which are not busy any more are forgotten: queues come and go for years.
func TestBusyQueuesAreForgotten(t *testing.T) {
	q, now := newQueues(), time.Unix(1000, 0)
	for i := range 1000 {
		q.noneFree(place{"eu", fmt.Sprintf("session %d", i)}, 1, now.Add(time.Duration(i)*time.Minute))
	}
	if n := len(q.busy); n != 1 {
		t.Errorf("%d queues are remembered, and one was busy of late", n)
	}
}
