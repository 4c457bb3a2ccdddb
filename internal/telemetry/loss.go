package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// Spans wait in a queue for the collector: about a second of 4,000 traced messages. What does not fit is lost.
const (
	spanQueue = 8192
	spanBatch = 512
	spanDelay = time.Second
)

// losses counts the spans that did not reach the collector, and says so once.
type losses struct {
	log     *slog.Logger
	counter prometheus.Counter
	losing  atomic.Bool
	waiting atomic.Int64 // spans that have ended and are not sent, nor lost
}

func newLosses(log *slog.Logger) *losses {
	return &losses{log: log, counter: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "weir_spans_lost_total",
		Help: "Spans that the collector did not take.",
	})}
}

// process makes the way of a span from its end to the collector. giveUp ends it: what is being sent and what still waits
// is lost.
func (l *losses) process(exporter sdk.SpanExporter) (_ sdk.SpanProcessor, giveUp func()) {
	over, giveUp := context.WithCancel(context.Background())
	return &bounded{losses: l, SpanProcessor: sdk.NewBatchSpanProcessor(&counting{exporter, l, over},
		sdk.WithMaxQueueSize(spanQueue), sdk.WithMaxExportBatchSize(spanBatch), sdk.WithBatchTimeout(spanDelay))}, giveUp
}

// lose counts spans that are gone; only the first of a row is worth a line.
func (l *losses) lose(n int, why error) {
	l.counter.Add(float64(n))
	if !l.losing.Swap(true) {
		l.log.Warn("spans are lost until the collector takes them again; messages are not affected", "error", why)
	}
}

func (l *losses) taken() {
	if l.waiting.Load() < spanQueue/2 && l.losing.Swap(false) {
		l.log.Info("the collector takes spans again")
	}
}

// bounded stands before the library's queue, which drops what does not fit without a word.
type bounded struct {
	sdk.SpanProcessor
	losses *losses
}

var errQueueFull = errors.New("more spans than the collector takes")

// OnEnd implements sdk.SpanProcessor.
func (b *bounded) OnEnd(s sdk.ReadOnlySpan) {
	if b.losses.waiting.Add(1) > spanQueue {
		b.losses.waiting.Add(-1)
		b.losses.lose(1, errQueueFull)
		return
	}
	b.SpanProcessor.OnEnd(s)
}

// counting counts what its exporter does not send. It tells no one else: OpenTelemetry would print each error.
type counting struct {
	sdk.SpanExporter
	losses *losses
	over   context.Context // done: nothing is sent any more
}

// ExportSpans implements sdk.SpanExporter.
func (c *counting) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.over, cancel)()
	err := c.over.Err()
	if err == nil {
		err = c.SpanExporter.ExportSpans(ctx, spans)
	}
	c.losses.waiting.Add(-int64(len(spans)))
	if err != nil {
		c.losses.lose(len(spans), err)
	} else {
		c.losses.taken()
	}
	return nil
}
