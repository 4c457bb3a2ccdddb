package federation_test

import (
	"strings"
	"testing"
)

// A heartbeat goes into the buffer that the link reads, also when that is another one, and no further. Upstream queues have
// consumers of their own, and get none.
func TestHeartbeatsOfFederation(t *testing.T) {
	onRabbitMQ(t, func(t *testing.T, eu, us region) {
		eu.consumer("shop", "#")
		eu.consumer("work")
		us.consumer("work", "#")
		us.consumer("all", "#")
		beating := func(more string) string {
			return strings.Replace(fromUS, "broker: us", "broker: us, heartbeat-interval: 1s"+more, 1) + `
	work: {pattern: "^work$", apply-to: queues, definition: {federation-upstream: us}}
`
		}
		const name = "us/exchanges/catalog"
		one := federate(t, eu, us, beating(""))
		one.equal(name, 1)
		eventually(t, "one is back", func() bool { return one.status(name).Heartbeat.Seconds != nil })
		first := one.status(name).Heartbeat.LastAt
		us.publish("a", "1")
		eventually(t, "another is back", func() bool { return one.status(name).Heartbeat.LastAt.After(first) })
		eu.gets("shop", "1")
		eventually(t, "the queue link is there", func() bool { return one.status("us/queues/work").Name != "" })
		if s := one.status("us/queues/work"); s.Heartbeat != nil {
			t.Errorf("heartbeats of a federated queue: %+v", s.Heartbeat)
		}
		if s := one.status(name); s.Counts.Received != 1 || s.Counts.Filtered != 0 {
			t.Errorf("counts %+v", s.Counts)
		}
		one.stop()

		two := federate(t, eu, us, beating(", queue-type: classic"))
		two.equal(name, 1)
		eventually(t, "one is back from the other buffer", func() bool { return two.status(name).Heartbeat.Seconds != nil })
		us.publish("a", "2")
		eu.gets("shop", "2")
		us.gets("all", "1", "2")
	})
}
