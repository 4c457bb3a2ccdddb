package telemetry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/broker/embedded"
)

// The names of NATS headers are case-sensitive: a trace goes on under the one it came with, and under no other.
func TestHeadersOnNATSKeepTheirCase(t *testing.T) {
	server, err := embedded.Start(t.Context(), embedded.Config{Nodes: 1, DataDir: t.TempDir()}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	js := connect(t, server.ClientURL())
	collector := grpcSink(t)
	g := runGateway(t, fmt.Sprintf(`
version: 1
site: eu
brokers: {eu: {type: nats, uris: [%q], streams: {replicas: 1}}}
shovels: {archive: {source: {broker: eu, queue: orders}, destinations: [{broker: eu, queue: archive}]}}
telemetry: {traces: {endpoint: %q, ratio: 0}}
`, server.ClientURL(), collector.url))
	within(t, "the link is open", func() bool { return g.Status().Links[0].Window > 0 })

	for _, header := range []string{"traceparent", "Traceparent"} {
		t.Run(header, func(t *testing.T) {
			m := nats.NewMsg("q.orders")
			m.Header[header] = []string{traced}
			m.Header["tracestate"] = []string{"vendor=1,other=2"}
			storing, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := js.PublishMsg(storing, m); err != nil {
				t.Fatal(err)
			}
			got := next(t, js, "q_archive", "archive")
			for name, values := range got {
				if strings.EqualFold(name, header) && (name != header || len(values) != 1 || values[0] == traced || !strings.Contains(values[0], traceID)) {
					t.Errorf("header %s is %q, want one %s in the same trace, below a span of weir", name, values, header)
				}
			}
			if len(got[header]) == 0 {
				t.Errorf("no header %s: %v", header, got)
			}
			if state := got["tracestate"]; len(state) != 1 || state[0] != "vendor=1,other=2" {
				t.Errorf("tracestate is %q, want it untouched", state)
			}
		})
	}
}

func connect(t *testing.T, uri string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(uri, nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// next takes the headers of the next message, as they are.
func next(t *testing.T, js jetstream.JetStream, stream, durable string) nats.Header {
	t.Helper()
	var got nats.Header
	within(t, "a message arrives", func() bool {
		consumer, err := js.Consumer(t.Context(), stream, durable)
		if err != nil {
			return false
		}
		m, err := consumer.Next()
		if err != nil {
			return false
		}
		got = m.Headers()
		return m.Ack() == nil
	})
	return got
}
