package federation

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// What is kept from one message to the next is on no message that differs, and stays as it is on those that have it.
func TestHopsOfManyMessages(t *testing.T) {
	began := time.UnixMilli(1_700_000_000_000)
	us := broker.Identity{Cluster: "us", VHost: "shop", URI: "amqp://us/shop"}
	earlier := broker.Table{"uri": "amqp://ap", "cluster-name": "ap", "vhost": "/", "exchange": "x", "queue": "q", "redelivered": true}
	messages := []struct {
		after       time.Duration
		redelivered bool
		headers     broker.Table
	}{
		{0, false, nil},
		{999 * time.Microsecond, false, broker.Table{"mine": "yes"}}, // the same millisecond
		{999 * time.Microsecond, true, nil},
		{999 * time.Microsecond, false, broker.Table{link.ReceivedFrom: broker.Array{earlier}}},
		{999 * time.Microsecond, false, broker.Table{link.ReceivedFrom: "forged"}},
		{999 * time.Microsecond, false, broker.Table{link.ReceivedFrom: nil, "x-invalid-headers": "forged"}},
		{time.Millisecond, false, nil},
		{time.Millisecond, false, broker.Table{}},
		{time.Second, true, broker.Table{link.ReceivedFrom: broker.Array{}}},
		{0, false, nil}, // a clock that goes back
	}
	exchange := stamp{hop: link.Hop{Left: us, Exchange: "orders"}}
	queue := queueStamp{upstream: us.URI, downstream: "amqp://eu/shop", upstreamQueue: "work", queue: "work"}
	next := stamp{hop: link.Hop{Left: broker.Identity{Cluster: "eu"}, Exchange: "orders"}}
	for name, c := range map[string]struct {
		stamp func(*broker.Message, time.Time) *broker.Message
		entry func(redelivered bool, at time.Time) broker.Table
	}{
		"exchange": {exchange.apply, func(redelivered bool, at time.Time) broker.Table {
			return link.Hop{Left: us, Exchange: "orders", Redelivered: redelivered, At: at}.Entry()
		}},
		"queue": {
			func(m *broker.Message, at time.Time) *broker.Message {
				out, _, _ := queue.apply(m, at)
				return out
			},
			func(redelivered bool, at time.Time) broker.Table {
				return broker.Table{"uri": us.URI, "queue": "work", "redelivered": redelivered, "visit-count": int64(1),
					"timestamp_in_ms": at.UnixMilli()}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stamped []*broker.Message
			var was []string
			for i, in := range messages {
				m := &broker.Message{Headers: in.headers, Redelivered: in.redelivered}
				at := began.Add(in.after)
				got := c.stamp(m, at)
				stamped, was = append(stamped, got), append(was, fmt.Sprintf("%#v", got.Headers))

				want := link.WithFirst(in.headers, link.ReceivedFrom, c.entry(in.redelivered, at))
				if !reflect.DeepEqual(got.Headers[link.ReceivedFrom], want[link.ReceivedFrom]) ||
					!reflect.DeepEqual(got.Headers["x-invalid-headers"], want["x-invalid-headers"]) || got.Headers["mine"] != want["mine"] {
					t.Errorf("message %d: %v, want %v", i, got.Headers, want)
				}
				next.apply(got, at) // which puts another hop in front
				c.stamp(got, at)    // as a message that has come back
			}
			for i, m := range stamped {
				if now := fmt.Sprintf("%#v", m.Headers); now != was[i] {
					t.Errorf("message %d was changed later: %s, was %s", i, now, was[i])
				}
			}
		})
	}
}
