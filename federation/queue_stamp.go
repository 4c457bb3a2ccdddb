package federation

import (
	"context"
	"maps"
	"time"

	"weir/broker"
	"weir/link"
)

// Headers that RabbitMQ's plugin writes on messages of federated queues (rabbit_federation_queue_link).
const (
	originalExchange = "x-original-exchange"
	originalKey      = "x-original-routing-key"
	originalCC       = "x-original-cc"
	visitCount       = "visit-count"
)

// carbonCopy routes to further queues wherever a message is published (RabbitMQ's sender-selected distribution).
const carbonCopy = "CC"

// queueTo is the downstream queue as a link.Destination. Its sink stamps what goes there.
type queueTo struct {
	link.To
	pair pair
}

// OpenSink implements link.Destination.
func (t queueTo) OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error) {
	from, to, err := t.pair.identities(ctx)
	if err != nil {
		return nil, err
	}
	sink, err := t.To.OpenSink(ctx, o)
	if err != nil {
		return nil, err
	}
	return &queueSink{Sink: sink, pair: t.pair, stamp: queueStamp{
		upstream: from.URI, downstream: to.URI, upstreamQueue: t.pair.upstreamQueue(), queue: t.pair.queue.Name,
		trustUserID: t.pair.upstream.TrustUserID,
	}}, nil
}

type queueSink struct {
	broker.Sink
	pair  pair
	stamp queueStamp
}

// Send implements broker.Sink. Each message tells whether the consumers of the queues at both ends were free.
func (s *queueSink) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	now := time.Now()
	out, visits, back := s.stamp.apply(m, now)
	confirm, err := s.Sink.Send(ctx, out)
	if err == nil {
		p := &s.pair
		p.queues.noneFree(place{p.from.name, p.upstreamQueue()}, visits, now)
		if back > 0 {
			p.queues.noneFree(place{p.to.name, p.queue.Name}, back, now)
		}
	}
	return confirm, err
}

// Blocked implements broker.Blocker.
func (s *queueSink) Blocked() (string, <-chan struct{}) { return broker.BlockedBy(s.Sink) }

// Node implements broker.Connected.
func (s *queueSink) Node() string { return broker.NodeOf(s.Sink) }

// queueStamp is what a queue link changes on a message: what the plugin does. Everything else crosses as it came.
type queueStamp struct {
	upstream, downstream string // URIs
	upstreamQueue        string
	queue                string // the downstream's, which is what the plugin writes
	trustUserID          bool

	last  queueHop     // of the last message
	entry broker.Table // the same; nil before the first
}

// queueHop is what differs from hop to hop of one link.
type queueHop struct {
	redelivered bool
	visits      int64
	at          int64 // milliseconds since 1970
}

// apply returns m as it is to be published; m itself is not changed. visits is how often it has left the upstream by this
// link, now included; back how often it has left the place where it is going, 0 if it has not been there.
func (s *queueStamp) apply(m *broker.Message, now time.Time) (out *broker.Message, visits, back int64) {
	c := *m
	if !s.trustUserID {
		// A broker refuses a user-id that is not the connection's own.
		c.Properties.UserID = ""
	}
	headers := make(broker.Table, len(m.Headers)+4) // one copy, with room for what is added: this is done for each message
	maps.Copy(headers, m.Headers)
	received, present := headers[link.ReceivedFrom]
	list, isList := received.(broker.Array)
	hops, visits, back := s.visited(list)
	hops[0] = s.hop(queueHop{m.Redelivered, visits, now.UnixMilli()})
	if present && !isList {
		headers = link.WithFirst(headers, link.ReceivedFrom, s.entry)
	} else {
		headers[link.ReceivedFrom] = hops
	}
	if _, known := headers[originalExchange]; !known {
		headers[originalExchange], headers[originalKey] = m.Exchange, m.RoutingKey
	}
	if cc, ok := headers[carbonCopy]; ok { // or it would be routed there again
		headers[originalCC] = cc
		delete(headers, carbonCopy)
	}
	c.Headers = headers
	return &c, visits, back
}

// hop is an entry. Under load, with many messages in a millisecond, the last one does again, as for exchange links.
func (s *queueStamp) hop(h queueHop) broker.Table {
	if s.entry == nil || s.last != h {
		s.last = h
		s.entry = broker.Table{
			"uri": s.upstream, "queue": s.queue, "redelivered": h.redelivered, visitCount: h.visits, link.TimestampHeader: h.at,
		}
	}
	return s.entry
}

// visited takes this link's own entry out of a list, and counts. The first place of hops is for the new one.
func (s *queueStamp) visited(list broker.Array) (hops broker.Array, visits, back int64) {
	hops, visits = make(broker.Array, 1, 1+len(list)), 1
	for _, item := range list {
		entry, _ := item.(broker.Table)
		count, _ := number(entry[visitCount])
		switch {
		case entry["uri"] == s.upstream && entry["queue"] == s.queue:
			visits = max(visits, int64(count)+1)
			continue
		case entry["uri"] == s.downstream && entry["queue"] == s.upstreamQueue:
			back = max(back, int64(count), 1)
		}
		hops = append(hops, item)
	}
	return hops, visits, back
}
