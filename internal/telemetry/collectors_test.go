package telemetry_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// sink is an OTLP collector, over gRPC or HTTP.
type sink struct {
	collect.UnimplementedTraceServiceServer
	url string

	mu       sync.Mutex
	broken   bool
	resource map[string]string
	spans    []*traces.Span
}

// grpcSink starts a collector that speaks gRPC.
func grpcSink(t *testing.T) *sink {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{url: "http://" + listener.Addr().String()}
	server := grpc.NewServer()
	collect.RegisterTraceServiceServer(server, s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return s
}

// httpSink starts a collector that speaks HTTP, at the path that the specification names.
func httpSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collect.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(body, &request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = s.Export(r.Context(), &request)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// Export implements collect.TraceServiceServer.
func (s *sink) Export(_ context.Context, r *collect.ExportTraceServiceRequest) (*collect.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return nil, status.Error(codes.InvalidArgument, "broken")
	}
	for _, of := range r.ResourceSpans {
		s.resource = texts(of.Resource.Attributes)
		for _, scope := range of.ScopeSpans {
			s.spans = append(s.spans, scope.Spans...)
		}
	}
	return &collect.ExportTraceServiceResponse{}, nil
}

func (s *sink) breaks(broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = broken
}

// got is what has come so far: the attributes of the process, and the spans.
func (s *sink) got() (resource map[string]string, spans []*traces.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resource, slices.Clone(s.spans)
}

func texts(attributes []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range attributes {
		all[a.Key] = a.Value.GetStringValue()
	}
	return all
}

func hexID(id []byte) string { return fmt.Sprintf("%x", id) }
