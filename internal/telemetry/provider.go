package telemetry

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// attributeLimit cuts what producers write (message ids, routing keys), in characters.
const attributeLimit = 1024

// process describes this process to the collector. What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say counts more
// than what stands here.
func process(ctx context.Context, site, version string) (*resource.Resource, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	own := []attribute.KeyValue{
		semconv.ServiceName("weir"),
		semconv.ServiceVersion(version),
		semconv.ServiceInstanceID(fmt.Sprintf("%s:%d", host, os.Getpid())),
	}
	if site != "" {
		own = append(own, siteName.String(site))
	}
	return resource.New(ctx, resource.WithSchemaURL(semconv.SchemaURL), resource.WithTelemetrySDK(),
		resource.WithAttributes(own...), resource.WithFromEnv())
}

// newProvider makes spans. Which messages are traced is decided before a span is made, so each one that is made is
// sampled.
func newProvider(about *resource.Resource, to sdk.SpanProcessor) *sdk.TracerProvider {
	limits := sdk.NewSpanLimits()
	limits.AttributeValueLengthLimit = attributeLimit
	return sdk.NewTracerProvider(sdk.WithSpanProcessor(to), sdk.WithResource(about), sdk.WithRawSpanLimits(limits),
		sdk.WithSampler(sdk.AlwaysSample()))
}

func tracerOf(p trace.TracerProvider, version string) trace.Tracer {
	return p.Tracer("weir/link", trace.WithInstrumentationVersion(version), trace.WithSchemaURL(semconv.SchemaURL))
}
