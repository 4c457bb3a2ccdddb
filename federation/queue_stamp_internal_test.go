package federation

import (
	"reflect"
	"testing"
	"time"

	"weir/broker"
)

// The fields are those of RabbitMQ's plugin (rabbit_federation_queue_link:update_headers).
func TestStampOfAQueueLink(t *testing.T) {
	type table = broker.Table
	now := time.UnixMilli(1_700_000_000_000)
	own := func(visits int64) table {
		return table{"uri": "amqp://us", "queue": "work", "redelivered": false, "visit-count": visits, "timestamp_in_ms": now.UnixMilli()}
	}
	hop := func(uri, queue string, visits int64) table {
		return table{"uri": uri, "queue": queue, "redelivered": false, "visit-count": visits}
	}
	stamp := queueStamp{upstream: "amqp://us", downstream: "amqp://eu", upstreamQueue: "orders", queue: "work"}
	for name, c := range map[string]struct {
		in, out      table
		visits, back int64
	}{
		"the first hop keeps where it was published": {
			in: nil, visits: 1,
			out: table{"x-original-exchange": "shop", "x-original-routing-key": "order.created", "x-received-from": broker.Array{own(1)}},
		},
		"a later one does not": {
			in:     table{"x-original-exchange": "x", "x-original-routing-key": "k", "x-received-from": broker.Array{hop("amqp://ap", "orders", 1)}},
			visits: 1,
			out:    table{"x-original-exchange": "x", "x-original-routing-key": "k", "x-received-from": broker.Array{own(1), hop("amqp://ap", "orders", 1)}},
		},
		"a second visit is counted, and the list does not grow": {
			in: table{"x-original-exchange": "x", "x-original-routing-key": "k",
				"x-received-from": broker.Array{hop("amqp://eu", "orders", 2), hop("amqp://us", "work", 3)}},
			visits: 4, back: 2,
			out: table{"x-original-exchange": "x", "x-original-routing-key": "k",
				"x-received-from": broker.Array{own(4), hop("amqp://eu", "orders", 2)}},
		},
		"an entry that is there twice, or without a count, does no harm": {
			in: table{"x-original-exchange": "x", "x-received-from": broker.Array{
				hop("amqp://us", "work", 2), table{"uri": "amqp://eu", "queue": "orders"}, table{"uri": "amqp://us", "queue": "work"}, "forged"}},
			visits: 3, back: 1,
			out: table{"x-original-exchange": "x", "x-received-from": broker.Array{
				own(3), table{"uri": "amqp://eu", "queue": "orders"}, "forged"}},
		},
		"another queue of the same broker is another place": {
			in:     table{"x-original-exchange": "x", "x-received-from": broker.Array{hop("amqp://us", "other", 7), hop("amqp://eu", "other", 7)}},
			visits: 1,
			out:    table{"x-original-exchange": "x", "x-received-from": broker.Array{own(1), hop("amqp://us", "other", 7), hop("amqp://eu", "other", 7)}},
		},
		"copies are not sent again": {
			in: table{"CC": broker.Array{"a", "b"}, "x-original-exchange": "x"}, visits: 1,
			out: table{"x-original-cc": broker.Array{"a", "b"}, "x-original-exchange": "x", "x-received-from": broker.Array{own(1)}},
		},
		"a header that is no list is moved aside": {
			in: table{"x-received-from": "forged", "x-original-exchange": "x"}, visits: 1,
			out: table{"x-original-exchange": "x", "x-received-from": broker.Array{own(1)},
				"x-invalid-headers": table{"x-received-from": broker.Array{"forged"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &broker.Message{Exchange: "shop", RoutingKey: "order.created", Headers: c.in, Properties: broker.Properties{UserID: "shop"}}
			before := len(c.in)
			got, visits, back := stamp.apply(m, now)
			if !reflect.DeepEqual(got.Headers, c.out) {
				t.Errorf("headers\n%v, want\n%v", got.Headers, c.out)
			}
			if visits != c.visits || back != c.back {
				t.Errorf("visits %d, back %d; want %d, %d", visits, back, c.visits, c.back)
			}
			if len(m.Headers) != before || m.Properties.UserID != "shop" {
				t.Errorf("the message itself was changed: %+v", m)
			}
			if got.Properties.UserID != "" {
				t.Error("the user-id is still there")
			}
		})
	}
	stamp.trustUserID = true
	if got, _, _ := stamp.apply(&broker.Message{Properties: broker.Properties{UserID: "shop"}}, now); got.Properties.UserID != "shop" {
		t.Error("a trusted user-id is gone")
	}
}

func TestAnUpstreamQueueIsDeclaredLikeTheDownstreams(t *testing.T) {
	type table = broker.Table
	for _, c := range []struct {
		queue broker.Queue
		want  table
	}{
		{broker.Queue{Type: "classic"}, table{}},
		{broker.Queue{Type: "quorum"}, table{"x-queue-type": "quorum"}},
		{broker.Queue{Type: "classic", Arguments: table{"x-queue-type": "classic", "x-max-priority": int64(5)}},
			table{"x-queue-type": "classic", "x-max-priority": int64(5)}},
		{broker.Queue{Type: "quorum", Arguments: table{"x-internal-purpose": "any", "x-dead-letter-exchange": "dead"}},
			table{"x-queue-type": "quorum", "x-dead-letter-exchange": "dead"}},
		{broker.Queue{}, table{}},
	} {
		if got := likeDownstream(c.queue); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.queue, got, c.want)
		}
	}
}
