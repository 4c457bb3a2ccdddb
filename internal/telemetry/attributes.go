package telemetry

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"weir/broker"
	"weir/link"
)

// Attributes of weir's own, beside those of OpenTelemetry's messaging conventions.
const (
	siteName           = attribute.Key("weir.site")
	linkName           = attribute.Key("weir.link.name")
	linkKind           = attribute.Key("weir.link.kind")
	sourceBroker       = attribute.Key("weir.source.broker")
	sourceWait         = attribute.Key("weir.source.wait_ms")      // how long it had lain at the source; absent: not known
	sourceWaitFrom     = attribute.Key("weir.source.wait_from")    // where that is known from (link.StoredAt)
	sourceDepth        = attribute.Key("weir.source.depth")        // ready messages when the overflow was decided on
	sourceDepthAge     = attribute.Key("weir.source.depth_age_ms") // how old that reading is
	overflowMode       = attribute.Key("weir.overflow.mode")
	overflowWhy        = attribute.Key("weir.overflow.why") // the threshold that was passed
	overflowThresholds = attribute.Key("weir.overflow.thresholds")
	destinationBroker  = attribute.Key("weir.destination.broker")
	destinationsPassed = attribute.Key("weir.destination.passed_over")
	hopIndex           = attribute.Key("weir.hop.index") // 1: the first link that the message crosses
	redelivered        = attribute.Key("weir.redelivered")
	attemptNumber      = attribute.Key("weir.attempt")
	attemptCount       = attribute.Key("weir.attempts")
	outcomeWord        = attribute.Key("weir.outcome")

	natsStream   = attribute.Key("messaging.nats.stream")
	natsSequence = attribute.Key("messaging.nats.sequence")
)

// linkAttributes are what all messages of a link share.
func (f *follower) linkAttributes() []attribute.KeyValue {
	from := f.spec.Source
	a := []attribute.KeyValue{
		semconv.MessagingSystemKey.String(f.systems[from.Name]),
		semconv.MessagingOperationName("forward"),
		semconv.MessagingOperationTypeProcess,
		linkName.String(f.spec.Name),
		linkKind.String(string(f.spec.Kind)),
		sourceBroker.String(from.Name),
	}
	if from.At.Consumer != "" {
		a = append(a, semconv.MessagingConsumerGroupName(from.At.Consumer))
	}
	if from.At.Stream != "" {
		a = append(a, natsStream.String(from.At.Stream))
	}
	return a
}

// messageAttributes tell about one message at its source.
func (f *follower) messageAttributes(m *broker.Message, now time.Time) []attribute.KeyValue {
	a := append(make([]attribute.KeyValue, 0, 10),
		semconv.MessagingDestinationName(receivedFrom(m, f.spec.Source.At)),
		semconv.MessagingMessageBodySize(len(m.Body)),
		hopIndex.Int(link.HopCount(m.Headers)+1),
	)
	if m.Subject == "" {
		a = append(a, semconv.MessagingRabbitMQDestinationRoutingKey(m.RoutingKey))
	}
	if m.Origin.Sequence > 0 {
		a = append(a, natsSequence.Int64(int64(m.Origin.Sequence)))
	}
	if id := m.Properties.MessageID; id != "" {
		a = append(a, semconv.MessagingMessageID(id))
	}
	if id := m.Properties.CorrelationID; id != "" {
		a = append(a, semconv.MessagingMessageConversationID(id))
	}
	if m.Redelivered {
		a = append(a, redelivered.Bool(true))
	}
	if at, from := link.StoredAt(m); from != "" {
		a = append(a, sourceWait.Int64(waited(at, now).Milliseconds()), sourceWaitFrom.String(from))
	}
	return a
}

// opening is why an overflow link takes messages now.
type opening struct {
	link.Decision                      // that opened it, by thresholds or by hand
	overflow      *link.OverflowStatus // nil: it is no overflow link
}

// decided reads it; the zero opening if there is none.
func (f *follower) decided() opening {
	if f.spec.Switch == nil {
		return opening{}
	}
	s := f.spec.Switch.Overflow()
	o := opening{overflow: &s}
	if i := slices.IndexFunc(s.Decisions, func(d link.Decision) bool { return d.Open }); i >= 0 {
		o.Decision = s.Decisions[i]
	}
	return o
}

func (o opening) attributes(now time.Time) []attribute.KeyValue {
	if o.overflow == nil {
		return nil
	}
	a := []attribute.KeyValue{
		overflowMode.String(string(o.overflow.Mode)), overflowThresholds.String(o.overflow.Thresholds), overflowWhy.String(o.Why),
	}
	if o.Depth.Ready != nil {
		a = append(a, sourceDepth.Int64(*o.Depth.Ready), sourceDepthAge.Int64(waited(o.At, now).Milliseconds()))
	}
	return a
}

// serverAttributes name the node of a broker, given as host and port; none if it is not known.
func serverAttributes(node string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(node)
	if err != nil {
		return nil
	}
	a := []attribute.KeyValue{semconv.ServerAddress(host)}
	if n, err := strconv.Atoi(port); err == nil {
		a = append(a, semconv.ServerPort(n))
	}
	return a
}

// receivedFrom is what the conventions call the destination of a message that is received: {exchange}:{routing key}:{queue}
// on RabbitMQ, the subject on NATS.
func receivedFrom(m *broker.Message, at broker.Address) string {
	if m.Subject != "" {
		return m.Subject
	}
	key := m.RoutingKey
	if key == at.Queue { // equal ones are named once
		key = ""
	}
	return joined(m.Exchange, key, at.Queue)
}

// sentTo is the same for a message that is sent: {exchange}:{routing key}, or the subject.
func sentTo(m *broker.Message, at broker.Address) string {
	switch {
	case at.Subject != "":
		return at.Subject
	case at.Queue != "":
		return at.Queue
	case at == broker.Address{} && m.Subject != "" && m.Exchange == "":
		return m.Subject
	}
	exchange, key := at.Exchange, at.RoutingKey
	if exchange == "" {
		exchange = m.Exchange
	}
	if key == "" {
		key = m.RoutingKey
	}
	return joined(exchange, key)
}

// joined leaves out empty parts.
func joined(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	if len(parts) == 0 {
		return "amq.default"
	}
	return strings.Join(parts, ":")
}
