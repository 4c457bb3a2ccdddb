// Package telemetry tells about messages while they cross links: spans by OpenTelemetry, metrics for Prometheus, and the
// last hops for whoever asks.
//
//	telemetry.go   one Telemetry a process
//	context.go     the trace context on a message, and which messages are followed
//	carrier.go     reads and writes it in headers
//	follow.go      follows the messages of a link; trail.go: one of them
//	attributes.go  what spans say
//	exporter.go    where spans go by OTLP; provider.go: how they are made; loss.go: what happens when nobody takes them
//	metrics.go     /metrics; collector.go: what links tell there
//	recent.go      the last hops
package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"weir/configs"
)

// shutdownTimeout bounds how long the last spans may take to be sent.
const shutdownTimeout = 3 * time.Second

// Options are what a Telemetry needs beside the configuration.
type Options struct {
	// Version of weir, for spans and metrics. Empty: dev.
	Version string
	Log     *slog.Logger
}

// Telemetry is what a process tells about the messages of its links. New makes it; call Shutdown in the end.
type Telemetry struct {
	tracer trace.Tracer
	update bool   // traceparent names weir's own span
	roots  uint64 // messages without a context are followed if a random number lies below
	stop   func(context.Context) error

	version string
	losses  *losses
	recent  ring
}

// New prepares what cfg.Telemetry says. A collector that is not there is no error: spans are lost, and counted. Without
// an endpoint, in cfg or in OTEL_EXPORTER_OTLP_ENDPOINT, and with propagation off, there are no spans and messages stay as
// they are; hops are remembered all the same.
func New(ctx context.Context, cfg *configs.Config, o Options) (*Telemetry, error) {
	traces := cfg.Telemetry.Traces
	t := &Telemetry{
		tracer:  noop.NewTracerProvider().Tracer(""),
		roots:   share(traces.Ratio),
		stop:    func(context.Context) error { return nil },
		version: cmp.Or(o.Version, "dev"),
		losses:  newLosses(o.Log),
	}
	if traces.Propagation == configs.PropagateOff {
		return t, nil
	}
	exporter, err := newExporter(ctx, traces.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("telemetry.traces.endpoint: %w", err)
	}
	if exporter == nil {
		return t, nil
	}
	about, err := process(ctx, cfg.Site, t.version)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("telemetry.traces: OTEL_RESOURCE_ATTRIBUTES: %w", err), exporter.Shutdown(ctx))
	}
	processor, giveUp := t.losses.process(exporter)
	provider := newProvider(about, processor)
	t.trace(provider, traces.Propagation)
	t.stop = func(ctx context.Context) error {
		inTime := context.AfterFunc(ctx, giveUp)
		// The library would leave its goroutine behind when ctx ends; giving up is what ends it soon.
		err := provider.Shutdown(context.WithoutCancel(ctx))
		if !inTime() {
			err = errors.Join(err, ctx.Err())
		}
		return err
	}
	return t, nil
}

// trace has spans made by p.
func (t *Telemetry) trace(p trace.TracerProvider, propagation configs.Propagation) {
	t.tracer = tracerOf(p, t.version)
	t.update = propagation != configs.PropagatePreserve
}

// share turns a ratio into the bound below which a random number must lie.
func share(ratio float64) uint64 {
	if ratio >= 1 {
		return math.MaxUint64
	}
	return uint64(max(0, ratio) * math.MaxUint64)
}

// lucky picks the declared share of messages.
func (t *Telemetry) lucky() bool {
	switch t.roots {
	case 0:
		return false
	case math.MaxUint64:
		return true
	}
	return rand.Uint64() < t.roots
}

// Shutdown sends the last spans, for 3 s at most. Call it when the links have stopped.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	if err := t.stop(ctx); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}
