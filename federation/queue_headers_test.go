package federation_test

import (
	"testing"
	"time"
)

func TestHeadersOfAFederatedQueue(t *testing.T) {
	inQueues(t, func(w *world) {
		w.us.Bind("work", "catalog", "#")
		w.publish(w.us, "book.new", "b")
		c := w.eu.Consume("work", 1, nil)
		w.gateway("eu", workFromUS)
		w.within(10*time.Second, "it has come", func() bool { return len(c.Unacked()) == 1 })
		m := c.Unacked()[0]
		if m.Exchange != "" || m.RoutingKey != "work" || m.Properties.UserID != "" {
			w.Errorf("published to %q, %q by %q", m.Exchange, m.RoutingKey, m.Properties.UserID)
		}
		if h := m.Headers; h["x-original-exchange"] != "catalog" || h["x-original-routing-key"] != "book.new" {
			w.Errorf("headers %v", h)
		}
	})
}
