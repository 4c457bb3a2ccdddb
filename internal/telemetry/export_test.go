package telemetry

import (
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"weir/configs"
)

// TraceTo has the spans of t go to an exporter, one by one.
func (t *Telemetry) TraceTo(to sdk.SpanExporter, p configs.Propagation) {
	t.trace(newProvider(resource.Empty(), sdk.NewSimpleSpanProcessor(to)), p)
}

// Follows tells whether a message with these headers would be followed.
var Follows = decide

// What Follows answers.
const (
	Undecided = undecided
	Sampled   = sampled
	Unsampled = unsampled
)

// SpanQueue and RecentKept are limits.
const (
	SpanQueue  = spanQueue
	RecentKept = recentKept
	TextLimit  = textLimit
)
