package link

import (
	"time"

	"weir/broker"
)

// ReceivedFrom is the header that lists the places a message has left, newest first. It is RabbitMQ's own (federation
// plugin, rabbit_federation_exchange_link), so that weir and the plugin stop each other's loops.
const ReceivedFrom = "x-received-from"

// invalidHeaders is where RabbitMQ keeps a header of the wrong type that it had to replace (rabbit_basic).
const invalidHeaders = "x-invalid-headers"

// Hop is one crossing of a link, named after the place that was left.
type Hop struct {
	// Left is the place.
	Left broker.Identity
	// Exchange or Queue is what the plugin writes there: for an exchange link the downstream exchange, for a queue
	// link or a shovel the queue.
	Exchange, Queue string
	Redelivered     bool
	// At is when the link forwards it, which the next one needs to tell how long it waited. Zero: not written.
	At time.Time
}

// HopCount is how many links a message has crossed.
func HopCount(h broker.Table) int {
	list, _ := h[ReceivedFrom].(broker.Array)
	return len(list)
}

// Visited tells whether a message has been at a place, by cluster-name and virtual host.
func Visited(h broker.Table, place broker.Identity) bool {
	list, _ := h[ReceivedFrom].(broker.Array)
	for _, item := range list {
		hop, ok := item.(broker.Table)
		if ok && hop["cluster-name"] == place.Cluster && hop["vhost"] == place.VHost {
			return true
		}
	}
	return false
}

// Entry is the hop as it stands in the list.
func (h Hop) Entry() broker.Table {
	entry := broker.Table{
		"uri":          h.Left.URI,
		"redelivered":  h.Redelivered,
		"cluster-name": h.Left.Cluster,
		"vhost":        h.Left.VHost,
	}
	if h.Exchange != "" {
		entry["exchange"] = h.Exchange
	}
	if h.Queue != "" {
		entry["queue"] = h.Queue
	}
	if !h.At.IsZero() {
		entry[TimestampHeader] = h.At.UnixMilli()
	}
	return entry
}

// WithHop returns a copy of h with hop at the head of the list. A header of that name which is no list is moved aside,
// as RabbitMQ does.
func WithHop(h broker.Table, hop Hop) broker.Table { return WithFirst(h, ReceivedFrom, hop.Entry()) }

// WithFirst returns a copy of h in which entry is the first of the list under key. What is nested is shared, entry too:
// nobody changes a table that is in the headers of a message.
func WithFirst(h broker.Table, key string, entry broker.Table) broker.Table {
	old, present := h[key]
	list, isList := old.(broker.Array)
	h = h.With(key, append(broker.Array{entry}, list...))
	if present && !isList {
		aside, _ := h[invalidHeaders].(broker.Table)
		values, _ := aside[key].(broker.Array)
		h[invalidHeaders] = aside.With(key, append(broker.Array{old}, values...))
	}
	return h
}
