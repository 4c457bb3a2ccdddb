package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/configs"
	"weir/internal/telemetry"
	"weir/link"
	"weir/tests/transcript"
)

// Spans get to a collector that speaks gRPC or HTTP, named in the configuration or by OpenTelemetry's variables.
func TestSpansGetToTheCollector(t *testing.T) {
	for name, c := range map[string]struct {
		start     func(*testing.T) *sink
		path      string
		variables map[string]string
	}{
		"grpc":              {start: grpcSink},
		"http by path":      {start: httpSink, path: "/v1/traces"},
		"http by variable":  {start: httpSink, variables: map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}},
		"endpoint variable": {start: grpcSink, variables: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "here"}},
		"both variables": {start: httpSink, variables: map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "here", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			collector := c.start(t)
			endpoint := collector.url + c.path
			for key, value := range c.variables {
				if value == "here" {
					value, endpoint = endpoint, ""
				}
				t.Setenv(key, value)
			}
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
			tele, observe := started(t, endpoint, quiet)
			cross(observe, &broker.Message{Headers: broker.Table{"traceparent": traced}})
			if err := tele.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			resource, spans := collector.got()
			if len(spans) != 2 || spans[0].Name != "publish orders" || spans[1].Name != "forward overflow" {
				t.Fatalf("got %v, want publish and forward", spans)
			}
			if p := spans[1]; hexID(p.TraceId) != traceID || hexID(p.ParentSpanId) != parentID {
				t.Errorf("forward is in %x below %x, want %s below %s", p.TraceId, p.ParentSpanId, traceID, parentID)
			}
			for key, want := range map[string]string{
				"service.name": "weir", "service.version": "1.2.3", "weir.site": "eu", "deployment.environment": "test",
			} {
				if resource[key] != want {
					t.Errorf("%s is %q, want %q", key, resource[key], want)
				}
			}
		})
	}
}

// Without an endpoint there are no spans, and messages stay as they are: nobody would have the parent.
func TestWithoutCollectorMessagesStayAsTheyAre(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"nothing":  {},
		"disabled": {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range variables {
				t.Setenv(key, value)
			}
			tele, observe := started(t, "", quiet)
			m := &broker.Message{Headers: broker.Table{"traceparent": traced}}
			cross(observe, m)
			if got := m.Headers["traceparent"]; got != traced {
				t.Errorf("traceparent is %v, want it untouched", got)
			}
			if hops := tele.Find(traceID); len(hops) != 1 {
				t.Errorf("hops are %+v, want one", hops)
			}
			if err := tele.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A collector that is away, or does not answer, costs spans and nothing else. They are counted, and said once.
func TestDeadCollectorSlowsNothing(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and never says a word
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for name, endpoint := range map[string]string{
		"refused": "http://127.0.0.1:1", "silent": "http://" + silent.Addr().String(), "silent http": "http://" + silent.Addr().String() + "/v1/traces",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log transcript.Buffer
			tele, observe := started(t, endpoint, slog.New(slog.NewTextHandler(&log, nil)))
			const hops = telemetry.SpanQueue // of two spans each
			began := time.Now()
			for range hops {
				cross(observe, &broker.Message{Headers: broker.Table{"traceparent": traced}})
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("%d messages took %v", hops, took)
			}
			if lost := metric(t, tele, "weir_spans_lost_total"); lost < 2*hops-telemetry.SpanQueue || lost > 2*hops {
				t.Errorf("%v spans are lost, want those that the queue of %d does not hold of %d", lost, telemetry.SpanQueue, 2*hops)
			}
			if n := strings.Count(log.String(), "\n"); n != 1 {
				t.Errorf("%d lines, want one:\n%s", n, log.String())
			}
			began = time.Now()
			if err := tele.Shutdown(t.Context()); err == nil {
				t.Error("shutdown does not tell that spans were left")
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("shutdown took %v", took)
			}
			if lost := metric(t, tele, "weir_spans_lost_total"); lost != 2*hops {
				t.Errorf("%v spans are lost when it has shut down, want all %d", lost, 2*hops)
			}
		})
	}
}

// It is told, too, when the collector takes spans again; the others stay counted.
func TestCollectorComesBack(t *testing.T) {
	collector := grpcSink(t)
	collector.breaks(true)
	var log transcript.Buffer
	tele, observe := started(t, collector.url, slog.New(slog.NewTextHandler(&log, nil)))
	m := func() *broker.Message { return &broker.Message{Headers: broker.Table{"traceparent": traced}} }
	cross(observe, m())
	within(t, "the spans are lost", func() bool { return metric(t, tele, "weir_spans_lost_total") == 2 })
	cross(observe, m())
	within(t, "more are lost", func() bool { return metric(t, tele, "weir_spans_lost_total") == 4 })
	collector.breaks(false)
	cross(observe, m())
	within(t, "spans arrive", func() bool { _, spans := collector.got(); return len(spans) == 2 })
	if err := tele.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n := metric(t, tele, "weir_spans_lost_total"); n != 4 {
		t.Errorf("%v spans are lost, want 4", n)
	}
	if said := regexp.MustCompile(`(?s)^[^\n]*level=WARN[^\n]*spans are lost[^\n]*\n[^\n]*level=INFO[^\n]*takes spans again[^\n]*\n$`); !said.MatchString(log.String()) {
		t.Errorf("want one line when spans are lost and one when they are not any more:\n%s", log.String())
	}
}

func TestBadVariableIsAnError(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "no equals sign")
	cfg := &configs.Config{}
	cfg.Telemetry.Traces.Endpoint = "http://127.0.0.1:4317"
	if _, err := telemetry.New(t.Context(), cfg, telemetry.Options{Log: quiet}); err == nil || !strings.Contains(err.Error(), "telemetry.traces") {
		t.Errorf("got %v, want an error that names telemetry.traces", err)
	}
}

// started is telemetry that sends to a collector, and the observer of one link.
func started(t *testing.T, endpoint string, log *slog.Logger) (*telemetry.Telemetry, link.Observe) {
	t.Helper()
	cfg := &configs.Config{Site: "eu"}
	cfg.Telemetry.Traces = configs.Traces{Endpoint: endpoint, Propagation: configs.PropagateUpdate}
	tele, err := telemetry.New(t.Context(), cfg, telemetry.Options{Version: "1.2.3", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return tele, tele.Observe(cfg, link.Spec{Name: "overflow", Kind: link.Overflow, Destination: link.To{}})
}

// cross is what a link tells of a message that crosses it.
func cross(observe link.Observe, m *broker.Message) {
	hop := observe(m, "")
	hop.Sending(m)
	hop.Sent(broker.Place{Broker: "us", At: broker.Address{Queue: "orders"}}, "", nil)
	hop.Answered(nil)
	hop.Ended(link.Forwarded)
}

// scrape gets /metrics.
func scrape(t *testing.T, tele *telemetry.Telemetry, s telemetry.Snapshot) string {
	t.Helper()
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
	tele.Handler(func() telemetry.Snapshot { return s }).ServeHTTP(answer, request)
	if answer.Code != 200 {
		t.Fatalf("%d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// metric is the value of a metric without labels.
func metric(t *testing.T, tele *telemetry.Telemetry, name string) float64 {
	t.Helper()
	text := scrape(t, tele, telemetry.Snapshot{})
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no %s:\n%s", name, text)
	}
	v, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// within waits for a condition.
func within(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !is() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal(fmt.Sprint("not within a minute: ", what))
		}
	}
}
