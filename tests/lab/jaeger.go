package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// jaegerRelease is the newest that go install can build: later ones replace a module. Its user interface is not in it, only
// the API.
const jaegerRelease = "v1.48.0"

// Jaeger is a running Jaeger that keeps spans in memory.
type Jaeger struct {
	// GRPC and HTTP take spans by OTLP, Query is its API; all begin with http://.
	GRPC, HTTP, Query string

	program *program
}

// Span is a span as Jaeger tells it.
type Span struct {
	Trace, ID, Parent string // Parent is empty at the root
	Name, Service     string
	Start             time.Time
	Duration          time.Duration
	Attributes        map[string]any // span.kind is among them; numbers are float64
	Events            []string
}

// InstallJaeger builds it into the lab's cache, unless it is there. That takes two minutes or so. What go says goes to out.
func InstallJaeger(ctx context.Context, out io.Writer) error {
	path, err := jaegerPath()
	if err != nil {
		return err
	}
	return installOnce(path, func() error {
		build := exec.CommandContext(ctx, "go", "install", "-ldflags=-s -w", "github.com/jaegertracing/jaeger/cmd/all-in-one@"+jaegerRelease)
		build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOBIN="+filepath.Dir(path))
		if err := run(build, out); err != nil {
			return fmt.Errorf("build Jaeger %s: %w", jaegerRelease, err)
		}
		return nil
	})
}

func jaegerPath() (string, error) {
	cache, err := Cache()
	return filepath.Join(cache, "jaeger-"+jaegerRelease, "all-in-one"), err
}

// StartJaeger starts one for a test.
func StartJaeger(t testing.TB) *Jaeger {
	t.Helper()
	j, err := RunJaeger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Stop)
	return j
}

// RunJaeger starts one; call Stop. The error is ErrNotInstalled, or holds the end of its log.
func RunJaeger(ctx context.Context) (*Jaeger, error) {
	path, err := jaegerPath()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, notInstalled("Jaeger")
	}
	p, err := newProgram()
	if err != nil {
		return nil, err
	}
	var args []string
	for i, flag := range []string{
		"query.http-server", "collector.otlp.grpc", "collector.otlp.http", "admin.http", "query.grpc-server", "collector.grpc-server",
		"collector.http-server", "http-server",
	} {
		args = append(args, "--"+flag+".host-port="+p.at(i))
	}
	for i, flag := range []string{"jaeger-binary", "jaeger-compact", "zipkin-compact"} { // UDP
		args = append(args, "--processor."+flag+".server-host-port="+p.at(i))
	}
	j := &Jaeger{Query: "http://" + p.at(0), GRPC: "http://" + p.at(1), HTTP: "http://" + p.at(2), program: p}
	if err := p.start(ctx, j.Query+"/api/services", path, args...); err != nil {
		return nil, err
	}
	return j, nil
}

// Stop ends it.
func (j *Jaeger) Stop() { j.program.stop() }

// Trace returns the spans of one trace in the order in which they began; none if Jaeger has not got any yet.
func (j *Jaeger) Trace(ctx context.Context, id string) ([]Span, error) {
	body, err := fetch(ctx, j.Query+"/api/traces?traceID="+id)
	if err != nil {
		return nil, err
	}
	var reply jaegerReply
	if err := json.Unmarshal(body, &reply); err != nil {
		return nil, err
	}
	var spans []Span
	for _, trace := range reply.Data {
		for _, s := range trace.Spans {
			spans = append(spans, s.span(trace.Processes[s.ProcessID].ServiceName))
		}
	}
	slices.SortStableFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return spans, nil
}

// jaegerReply is the part of an answer that is used.
type jaegerReply struct {
	Data []struct {
		Spans     []jaegerSpan
		Processes map[string]struct{ ServiceName string }
	}
}

type jaegerSpan struct {
	TraceID, SpanID, OperationName, ProcessID string
	StartTime, Duration                       int64 // microseconds
	References                                []struct{ RefType, SpanID string }
	Tags                                      []jaegerTag
	Logs                                      []struct{ Fields []jaegerTag }
}

type jaegerTag struct {
	Key   string
	Value any
}

func (s jaegerSpan) span(service string) Span {
	out := Span{
		Trace: s.TraceID, ID: s.SpanID, Name: s.OperationName, Service: service, Start: time.UnixMicro(s.StartTime),
		Duration: time.Duration(s.Duration) * time.Microsecond, Attributes: make(map[string]any, len(s.Tags)),
	}
	for _, r := range s.References {
		if r.RefType == "CHILD_OF" {
			out.Parent = r.SpanID
		}
	}
	for _, tag := range s.Tags {
		out.Attributes[tag.Key] = tag.Value
	}
	for _, event := range s.Logs {
		for _, field := range event.Fields {
			if name, ok := field.Value.(string); ok && field.Key == "event" {
				out.Events = append(out.Events, name)
			}
		}
	}
	return out
}
