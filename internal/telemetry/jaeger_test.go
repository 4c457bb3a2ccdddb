package telemetry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"weir/link"
	"weir/tests/lab"
)

// waitsInEU is how long the order waits in its first queue.
const waitsInEU = 2500 * time.Millisecond

// An order published in eu crosses an overflow shovel to us and a federated exchange to ap. One question to Jaeger shows
// its way: each hop, in order, with what it waited and why it went.
func TestJaegerShowsTheWayOfAnOrder(t *testing.T) {
	jaeger := lab.StartJaeger(t)
	eu, us, ap := newRegion(t, "3.10"), newRegion(t, "4.0"), newRegion(t, "newest")
	for _, r := range []*region{eu, us, ap} {
		r.declare()
	}
	r := regions(t, jaeger, map[string]*region{"eu": eu, "us": us, "ap": ap})
	within(t, "ap has its bindings in us", func() bool {
		for _, s := range r.Status().Links {
			if f := s.Federation; f != nil && f.Bindings != nil && *f.Bindings == 1 && (s.State == link.Idle || s.State == link.Running) {
				return true
			}
		}
		return false
	})

	shop := newShop(t, jaeger)
	began := time.Now()
	id := shop.order(eu)
	stored := time.Now()
	<-time.After(waitsInEU) // which is to be seen
	eu.publish(10, nil)     // the overflow opens
	delivery := ap.receive()
	shop.work(delivery)

	var spans []lab.Span
	within(t, "Jaeger has the trace", func() bool {
		var err error
		spans, err = jaeger.Trace(t.Context(), id)
		return err == nil && len(spans) == 6
	})
	way := path(t, spans)
	for i, want := range []string{
		"publish orders:order.created", "forward orders-overflow", "publish orders:order.created", "forward us/exchanges/orders", "publish orders:order.created",
		"process orders:order.created",
	} {
		if way[i].Name != want {
			t.Errorf("step %d is %q, want %q", i+1, way[i].Name, want)
		}
	}
	if t.Failed() {
		return
	}
	first, publish, second := way[1], way[2], way[3]
	for key, want := range map[string]any{
		"span.kind": "consumer", "messaging.system": "rabbitmq", "messaging.message.id": "order-1",
		"messaging.destination.name": "orders:order.created:orders", "weir.link.name": "orders-overflow", "weir.link.kind": "overflow",
		"weir.source.broker": "eu", "weir.source.wait_from": "timestamp", "weir.overflow.mode": "auto",
		"weir.overflow.thresholds": "messages-ready 10..1", "weir.hop.index": 1.0, "weir.attempts": 1.0, "weir.outcome": "forwarded",
	} {
		if got := first.Attributes[key]; got != want {
			t.Errorf("first hop: %s is %v, want %v", key, got, want)
		}
	}
	if why, _ := first.Attributes["weir.overflow.why"].(string); !strings.Contains(why, "opens at 10") {
		t.Errorf("first hop: weir.overflow.why is %q", why)
	}
	if depth, _ := first.Attributes["weir.source.depth"].(float64); depth < 10 {
		t.Errorf("first hop: weir.source.depth is %v, want 10 at least", depth)
	}
	if got := publish.Attributes["weir.destination.broker"]; got != "us" {
		t.Errorf("first hop: weir.destination.broker is %v", got)
	}
	for i, at := range []*region{eu, us, us, ap} { // forward eu, publish us, forward us, publish ap
		s := way[i+1]
		if host, port := s.Attributes["server.address"], s.Attributes["server.port"]; host != "127.0.0.1" || port != float64(at.Broker.Nodes[0].AMQP) {
			t.Errorf("%s went to %v port %v, want the node at port %d", s.Name, host, port, at.Broker.Nodes[0].AMQP)
		}
	}
	// The producer's timestamp has whole seconds, the hop's whole milliseconds.
	waited(t, "first", first, first.Start.Sub(stored), first.Start.Sub(began)+time.Second)
	if got := second.Attributes["weir.source.wait_from"]; got != "hop" {
		t.Errorf("second hop: weir.source.wait_from is %v, want hop", got)
	}
	confirmed := publish.Start.Add(publish.Duration)
	waited(t, "second", second, second.Start.Sub(confirmed), second.Start.Sub(publish.Start)+time.Millisecond)
	if got := second.Attributes["weir.hop.index"]; got != 2.0 {
		t.Errorf("second hop: weir.hop.index is %v", got)
	}
	for _, region := range []*region{eu, us, ap} {
		if text := fmt.Sprintf("%+v", spans); strings.Contains(text, region.Password) {
			t.Errorf("a span holds a password: %s", text)
		}
	}
	if hops := r.telemetry.Find("order-1"); len(hops) != 2 || hops[0].TraceID != id || hops[1].Link != "us/exchanges/orders" {
		t.Errorf("the gateway remembers %+v, want both hops", hops)
	}
}

// path follows a trace from its root, and fails unless each span has one child.
func path(t *testing.T, spans []lab.Span) []lab.Span {
	t.Helper()
	var way []lab.Span
	for parent := ""; len(way) < len(spans); {
		var children []lab.Span
		for _, s := range spans {
			if s.Parent == parent {
				children = append(children, s)
			}
		}
		if len(children) != 1 {
			t.Fatalf("%d spans below %q, want one: %+v", len(children), parent, spans)
		}
		way = append(way, children[0])
		parent = children[0].ID
	}
	return way
}

// waited holds what a span says, in whole milliseconds, against the bounds that were measured.
func waited(t *testing.T, hop string, s lab.Span, least, most time.Duration) {
	t.Helper()
	ms, ok := s.Attributes["weir.source.wait_ms"].(float64)
	got := time.Duration(ms) * time.Millisecond
	if !ok || got < least-time.Millisecond || got > most+time.Millisecond {
		t.Errorf("%s hop: waited %v ms, want %v to %v", hop, s.Attributes["weir.source.wait_ms"], least, most)
	}
}

// regions runs one gateway for three regions.
func regions(t *testing.T, jaeger *lab.Jaeger, all map[string]*region) running {
	t.Helper()
	config := "version: 1\nsite: ap\nlocal: ap\nbrokers:\n"
	for name, r := range all {
		config += fmt.Sprintf("  %s: {type: rabbitmq, uris: [%q], vhost: %q, username: %q, password: %q, cluster-name: %s, management: {uris: [%q]}}\n",
			name, fmt.Sprintf("amqp://127.0.0.1:%d", r.Broker.Nodes[0].AMQP), r.Name, r.Username, r.Password, name, r.Management()[0])
	}
	config += `
upstreams: {us: {broker: us, max-hops: 2}}
policies: {orders: {pattern: "^orders$", apply-to: exchanges, definition: {federation-upstream: us}}}
shovels:
  orders-overflow:
    source: {broker: eu, queue: orders}
    destinations: [{broker: us, exchange: orders}]
    overflow: {messages-ready: {start: 10, stop: 1}, for: 0s}
`
	config += fmt.Sprintf("telemetry: {traces: {endpoint: %q, ratio: 0}}\n", jaeger.GRPC)
	return runGateway(t, config)
}

// region is a vhost with an exchange orders, from which the queue orders gets all.
type region struct {
	*lab.VHost
	t  *testing.T
	ch *amqp.Channel
}

func newRegion(t *testing.T, version string) *region {
	t.Helper()
	v := lab.RabbitMQ(t, version).VHost(t)
	return &region{VHost: v, t: t, ch: v.Channel()}
}

func (r *region) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *region) declare() {
	r.t.Helper()
	r.must(r.ch.ExchangeDeclare("orders", "topic", true, false, false, false, nil))
	_, err := r.ch.QueueDeclare("orders", true, false, false, false, nil)
	r.must(err)
	r.must(r.ch.QueueBind("orders", "order.#", "orders", false, nil))
	r.must(r.ch.Confirm(false))
}

// publish sends n orders and waits until they are stored.
func (r *region) publish(n int, headers amqp.Table) {
	r.t.Helper()
	for i := range n {
		confirm, err := r.ch.PublishWithDeferredConfirmWithContext(r.t.Context(), "orders", "order.created", true, false, amqp.Publishing{
			Headers: headers, MessageId: fmt.Sprintf("order-%d", i+1), Timestamp: time.Now(), Body: []byte("an order"),
		})
		r.must(err)
		stored, cancel := context.WithTimeout(r.t.Context(), time.Minute)
		acked, err := confirm.WaitContext(stored)
		cancel()
		if err != nil || !acked {
			r.t.Fatalf("order %d is not stored: %v", i+1, err)
		}
	}
}

// receive waits for the order that has a trace.
func (r *region) receive() amqp.Delivery {
	r.t.Helper()
	var d amqp.Delivery
	within(r.t, "the order arrives", func() bool {
		got, ok, err := r.ch.Get("orders", true)
		r.must(err)
		d = got
		return ok && got.Headers["traceparent"] != nil
	})
	return d
}

// shop is the applications at both ends, which trace as OpenTelemetry wants it.
type shop struct {
	t        *testing.T
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

func newShop(t *testing.T, jaeger *lab.Jaeger) *shop {
	t.Helper()
	exporter, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpointURL(jaeger.GRPC))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
	t.Cleanup(func() { _ = provider.Shutdown(context.WithoutCancel(t.Context())) })
	return &shop{t, provider, provider.Tracer("shop")}
}

// order publishes one, and returns the id of its trace.
func (s *shop) order(to *region) (id string) {
	s.t.Helper()
	ctx, span := s.tracer.Start(s.t.Context(), "publish orders:order.created", trace.WithSpanKind(trace.SpanKindProducer))
	defer span.End()
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	to.publish(1, amqp.Table{"traceparent": carrier["traceparent"]})
	return span.SpanContext().TraceID().String()
}

// work consumes one.
func (s *shop) work(d amqp.Delivery) {
	s.t.Helper()
	parent, _ := d.Headers["traceparent"].(string)
	ctx := propagation.TraceContext{}.Extract(s.t.Context(), propagation.MapCarrier{"traceparent": parent})
	_, span := s.tracer.Start(ctx, "process orders:order.created", trace.WithSpanKind(trace.SpanKindConsumer))
	span.End()
}
