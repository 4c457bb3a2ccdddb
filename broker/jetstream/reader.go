package jetstream

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

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
	gaps    bool   // a sequence that does not come has been removed: the consumer wants all, which the stream keeps until a limit
	number  uint64 // of the consumer's last delivery, 0 before the first
	highest uint64 // sequence that it has delivered
	expired atomic.Uint64
	told    time.Time // when the log last said so
	log     *slog.Logger
}

const tellExpired = time.Minute // at most one line in this time

func newReader(n names, stream *jetstream.StreamInfo, consumer *jetstream.ConsumerInfo, log *slog.Logger) *reader {
	return &reader{
		names: n, scope: scope(stream), log: log,
		gaps:   stream.Config.Retention == jetstream.LimitsPolicy && len(filtersOf(consumer)) == 0,
		number: consumer.Delivered.Consumer, highest: consumer.Delivered.Stream,
	}
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

// count notes sequences that are missing between two deliveries of the consumer, one after the other: their age, or the size
// of the stream, has removed what lay between. What was removed before the first delivery may be older than the consumer.
func (r *reader) count(d metadata) {
	if !r.gaps {
		return
	}
	first := d.delivered == 1
	if next := r.highest + 1; first && r.number > 0 && d.consumer == r.number+1 && d.stream > next {
		expired := r.expired.Add(d.stream - next)
		if time.Since(r.told) >= tellExpired {
			r.told = time.Now()
			r.log.Warn("messages have expired before they were delivered", "messages", expired)
		}
	}
	if first {
		r.highest = d.stream
	}
	r.number = d.consumer
}

// Expired implements broker.Expirer. It is known for streams with limits and consumers without filters, and counts from where
// the consumer stood when the session began.
func (s *Source) Expired() uint64 { return s.read.expired.Load() }
