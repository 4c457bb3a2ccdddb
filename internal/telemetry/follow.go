package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"weir/broker"
	"weir/configs"
	"weir/link"
)

// follower follows the messages of one link.
type follower struct {
	*Telemetry
	spec    link.Spec
	systems map[string]string // messaging.system, by broker

	name   string               // of the forward span
	shared []attribute.KeyValue // of all forward spans
	source string
}

// Observe makes the observer of the link that spec is about to become; cfg tells what its brokers are.
func (t *Telemetry) Observe(cfg *configs.Config, spec link.Spec) link.Observe {
	f := &follower{
		Telemetry: t, spec: spec, systems: make(map[string]string, len(cfg.Brokers)),
		name: "forward " + spec.Name, source: spec.Source.String(),
	}
	for name, b := range cfg.Brokers {
		f.systems[name] = system(b.Type)
	}
	f.shared = f.linkAttributes()
	return f.observe
}

// observe is a link.Observe. The flag of the trace context comes before anything else: a message that is not sampled
// costs nothing.
func (f *follower) observe(m *broker.Message, node string) link.Trail {
	switch decide(m.Headers) {
	case unsampled:
		return nil
	case undecided:
		if !f.lucky() {
			return nil
		}
	case sampled:
	}
	return f.begin(m, node)
}

// begin starts the forward span of a message that has just been received from a node.
func (f *follower) begin(m *broker.Message, node string) *trail {
	now := time.Now()
	decided := f.decided()
	w := &trail{follower: f, message: m}
	ctx := w3c.Extract(context.Background(), &carrier{headers: m.Headers})
	w.ctx, w.forward = f.tracer.Start(ctx, f.name, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(now),
		trace.WithAttributes(f.shared...), trace.WithAttributes(f.messageAttributes(m, now)...),
		trace.WithAttributes(decided.attributes(now)...), trace.WithAttributes(serverAttributes(node)...))
	w.hop = Hop{
		At: now, Link: f.spec.Name, Kind: f.spec.Kind, Source: f.source, Destination: f.spec.Destination.String(),
		MessageID: cut(m.Properties.MessageID), Why: decided.Why,
	}
	if id := w.forward.SpanContext().TraceID(); id.IsValid() {
		w.hop.TraceID = id.String()
	}
	if at, from := link.StoredAt(m); from != "" {
		seconds := waited(at, now).Seconds()
		w.hop.WaitSeconds, w.hop.WaitFrom = &seconds, from
	}
	return w
}

// waited is at least 0: clocks differ.
func waited(since, now time.Time) time.Duration { return max(0, now.Sub(since)) }

// system is the messaging.system of a broker. The conventions do not list NATS; its own libraries say "nats".
func system(b configs.BrokerType) string {
	if b == configs.RabbitMQ {
		return "rabbitmq"
	}
	return "nats"
}
