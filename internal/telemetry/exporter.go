package telemetry

import (
	"cmp"
	"context"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// exportTimeout bounds one batch, with all its tries.
const exportTimeout = 10 * time.Second

// The variables of the OTLP exporter specification that name the collector and its protocol. The libraries read all the
// others (headers, certificates, compression, ...).
var (
	endpointVariables = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}
	protocolVariables = []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"}
)

// newExporter sends spans to a collector at http:// or https://; nil: there is none. It does not connect yet.
func newExporter(ctx context.Context, endpoint string) (sdk.SpanExporter, error) {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return nil, nil
	}
	declared := endpoint != ""
	endpoint = cmp.Or(endpoint, first(endpointVariables))
	if endpoint == "" {
		return nil, nil
	}
	if overHTTP(endpoint) {
		options := []otlptracehttp.Option{otlptracehttp.WithTimeout(exportTimeout)}
		if declared {
			options = append(options, otlptracehttp.WithEndpointURL(withPath(endpoint)))
		}
		return otlptracehttp.New(ctx, options...)
	}
	options := []otlptracegrpc.Option{otlptracegrpc.WithTimeout(exportTimeout)}
	if declared {
		options = append(options, otlptracegrpc.WithEndpointURL(endpoint))
	}
	return otlptracegrpc.New(ctx, options...)
}

// overHTTP tells whether a collector speaks OTLP over HTTP: the variable says so, or it is at the port or the path that
// the specification gives to HTTP. Otherwise it is gRPC.
func overHTTP(endpoint string) bool {
	if protocol := first(protocolVariables); protocol != "" {
		return strings.HasPrefix(protocol, "http")
	}
	u, err := url.Parse(endpoint)
	return err == nil && (u.Port() == "4318" || strings.Trim(u.Path, "/") != "")
}

// withPath adds the path of OTLP over HTTP where there is none.
func withPath(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return endpoint
	}
	return u.JoinPath("v1", "traces").String()
}

func first(variables []string) string {
	for _, name := range variables {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}
