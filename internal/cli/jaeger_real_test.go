package cli

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"weir/tests/lab"
)

// A trace of two services, read back from a Jaeger by its id and by the message-id.
func TestTraceFromARealJaeger(t *testing.T) {
	jaeger := lab.StartJaeger(t)
	ctx := t.Context()
	tracer := func(service string) trace.Tracer {
		exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(jaeger.GRPC))
		if err != nil {
			t.Fatal(err)
		}
		provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter),
			sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))
		t.Cleanup(func() { _ = provider.Shutdown(context.WithoutCancel(ctx)) })
		return provider.Tracer("test")
	}
	inShop, published := tracer("shop").Start(ctx, "publish orders")
	_, forwarded := tracer("weir").Start(inShop, "forward orders-overflow", trace.WithAttributes(
		attribute.String("messaging.message.id", "order-7"), attribute.Int64("weir.source.wait_ms", 12300)))
	forwarded.End()
	published.End()

	tree := regexp.MustCompile(`^trace [0-9a-f]{32}: 2 spans\n└─ \+0s shop: publish orders \(\S+\)\n   └─ \+\S+ weir: forward orders-overflow \(\S+\); message order-7; waited 12.3s\n$`)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, id := range []string{published.SpanContext().TraceID().String(), "order-7"} {
		var out, problems strings.Builder
		for deadline := time.Now().Add(time.Minute); !tree.MatchString(out.String()); <-tick.C {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %s%s", id, &out, &problems)
			}
			out.Reset()
			problems.Reset()
			Main([]string{"trace", id, "--jaeger", jaeger.Query}, &out, &problems, nil)
		}
	}
	var out, problems strings.Builder
	if code := Main([]string{"trace", strings.Repeat("0", 31) + "1", "--jaeger", jaeger.Query}, &out, &problems, nil); code != exitData {
		t.Errorf("a trace that is not there: exit code %d, %s%s", code, &out, &problems)
	}
}
