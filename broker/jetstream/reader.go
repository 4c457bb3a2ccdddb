package jetstream

import (
	"log/slog"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"weir/broker"
)

// reader makes Messages of what one consumer delivers.
type reader struct {
	names names
	scope string // Origin.Scope

	// What was read from the last subject: most messages of a stream share one.
	subject, exchange, key string
	own                    bool

	// For the count of messages that the stream dropped before they were delivered.
	gaps    bool     // the stream keeps everything until a limit, and the consumer wants everything
	last    metadata // of the last message that came for the first time
	expired atomic.Uint64
	log     *slog.Logger
}

func (r *reader) message(m *nats.Msg, tag uint64) *broker.Message {
	if m.Subject != r.subject {
		r.subject = m.Subject
		if r.exchange, r.key, r.own = r.names.parse(m.Subject); !r.own {
			r.exchange, r.key = "", m.Subject
		}
	}
	out := &broker.Message{Exchange: r.exchange, RoutingKey: r.key, Subject: m.Subject, Body: m.Data, Tag: tag}
	decode(m.Header, out)
	if r.own { // whatever else a header says
		out.Exchange, out.RoutingKey = r.exchange, r.key
	}
	if d, ok := parseReply(m.Reply); ok {
		r.count(d)
		out.Redelivered = d.delivered > 1
		out.Origin = broker.Origin{Scope: r.scope, Sequence: d.stream, Stored: d.stored, Returns: int(d.delivered - 1)}
	}
	return out
}

// count notes sequences that are missing between two messages that came one after the other to this consumer: their age,
// or the size of the stream, has removed what lay between.
func (r *reader) count(d metadata) {
	if !r.gaps || d.delivered > 1 {
		return
	}
	if d.consumer == r.last.consumer+1 && d.stream > r.last.stream+1 {
		r.lost(d.stream - r.last.stream - 1)
	}
	r.last = d
}

func (r *reader) lost(n uint64) {
	if r.expired.Add(n) == n { // the first time
		r.log.Warn("messages have expired before they were delivered", "messages", n)
	}
}
