package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"weir/broker"
	"weir/link"
)

// trail is a link.Trail: the two spans of a message that is followed. forward lasts from its receipt until it has left its
// source; publish, below it, from the first try until the destination has it. What the message carries on is the context
// of publish, so that whoever gets it next is its child.
type trail struct {
	*follower
	message *broker.Message
	ctx     context.Context // of forward
	forward trace.Span
	publish trace.Span // nil: no try yet
	tried   time.Time  // when the last try began
	hop     Hop
}

// Sending implements link.Trail.
func (w *trail) Sending(m *broker.Message) {
	w.tried = time.Now()
	w.hop.Attempts++
	if w.publish != nil {
		return
	}
	ctx, span := w.tracer.Start(w.ctx, "publish", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(semconv.MessagingOperationName("publish"), semconv.MessagingOperationTypeSend))
	w.publish = span
	if !w.update {
		return
	}
	c := carrier{}
	w3c.Inject(ctx, &c)
	if c.parent != "" {
		key, _ := contextOf(m.Headers)
		m.Headers = m.Headers.With(key, c.parent)
	}
}

// Sent implements link.Trail.
func (w *trail) Sent(to broker.Place, node string, passedOver []string) {
	name := sentTo(w.message, to.At)
	w.publish.SetName("publish " + name)
	w.publish.SetAttributes(
		semconv.MessagingSystemKey.String(w.systems[to.Broker]),
		semconv.MessagingDestinationName(name),
		destinationBroker.String(to.Broker),
		attemptNumber.Int(w.hop.Attempts),
	)
	w.publish.SetAttributes(serverAttributes(node)...)
	if len(passedOver) > 0 {
		w.publish.SetAttributes(destinationsPassed.StringSlice(passedOver))
	}
	w.hop.Destination = to.String()
}

// Answered implements link.Trail.
func (w *trail) Answered(err error) {
	if err == nil {
		w.hop.ConfirmSeconds = time.Since(w.tried).Seconds()
		w.publish.End()
		return
	}
	w.hop.Why = cut(err.Error())
	w.publish.AddEvent("publish.failed", trace.WithAttributes(
		semconv.ErrorTypeKey.String(errorType(err)), attemptNumber.Int(w.hop.Attempts)))
}

// Ended implements link.Trail.
func (w *trail) Ended(how link.Outcome) {
	w.hop.Outcome = string(how)
	w.forward.SetAttributes(outcomeWord.String(string(how)), attemptCount.Int(w.hop.Attempts))
	if w.publish != nil {
		end(w.publish, how) // to end it twice is harmless
	}
	end(w.forward, how)
	w.recent.add(w.hop)
}

// end ends a span, as an error if the message will not get to its destination.
func end(span trace.Span, how link.Outcome) {
	switch how {
	case link.Dropped, link.Rejected, link.DeadLettered, link.Lost:
		span.SetStatus(codes.Error, string(how))
	}
	span.End()
}

// errorType is one of a closed list.
func errorType(err error) string {
	for _, known := range [...]struct {
		err  error
		word string
	}{
		{broker.ErrTooLarge, "too_large"},
		{broker.ErrRefused, "refused"},
		{broker.ErrUnroutable, "unroutable"},
		{broker.ErrUnwanted, "unwanted"},
		{broker.ErrNowhere, "no_destination"},
	} {
		if errors.Is(err, known.err) {
			return known.word
		}
	}
	return "connection_lost"
}
