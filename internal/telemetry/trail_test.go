package telemetry_test

import (
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"weir/broker"
	"weir/configs"
	"weir/internal/telemetry"
	"weir/link"
)

// A traced message gets two spans in its own trace; the next in line is a child of the one that published.
func TestTracedMessageCarriesItsTraceOn(t *testing.T) {
	play(t, 0, configs.PropagateUpdate, func(r *rig) {
		headers := broker.Table{
			"traceparent": traced, "tracestate": "vendor=1, other=2,", "baggage": "tenant = a;x, b=%20", "n": int32(7),
		}
		before := maps.Clone(headers)
		got := r.cross(&broker.Message{
			Headers: headers, Body: []byte("an order"),
			Properties: broker.Properties{MessageID: "o-1", CorrelationID: "c-1"},
		})

		forward, publish := r.span("forward orders-to-us"), r.span("publish orders")
		for _, s := range []struct{ what, got, want string }{
			{"trace of forward", forward.SpanContext.TraceID().String(), traceID},
			{"parent of forward", forward.Parent.SpanID().String(), parentID},
			{"kind of forward", forward.SpanKind.String(), trace.SpanKindConsumer.String()},
			{"trace of publish", publish.SpanContext.TraceID().String(), traceID},
			{"parent of publish", publish.Parent.SpanID().String(), forward.SpanContext.SpanID().String()},
			{"kind of publish", publish.SpanKind.String(), trace.SpanKindProducer.String()},
		} {
			if s.got != s.want {
				t.Errorf("%s is %s, want %s", s.what, s.got, s.want)
			}
		}
		want := maps.Clone(before)
		want["traceparent"] = fmt.Sprintf("00-%s-%s-01", traceID, publish.SpanContext.SpanID())
		if diff := cmp.Diff(want, got.Headers); diff != "" {
			t.Errorf("headers at the destination (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, headers); diff != "" {
			t.Errorf("the producer's own headers have changed (-want +got):\n%s", diff)
		}
		r.says(forward, map[string]any{
			"messaging.system": "rabbitmq", "messaging.operation.name": "forward", "messaging.operation.type": "process",
			"messaging.destination.name": "orders", "messaging.rabbitmq.destination.routing_key": "orders",
			"messaging.message.id": "o-1", "messaging.message.conversation_id": "c-1", "messaging.message.body.size": int64(8),
			"weir.link.name": "orders-to-us", "weir.link.kind": "shovel", "weir.source.broker": "eu",
			"weir.hop.index": int64(1), "weir.attempts": int64(1), "weir.outcome": "forwarded",
			"weir.overflow.why": nil, "weir.source.depth": nil, "weir.redelivered": nil,
			"server.address": nil, "server.port": nil, // brokers in memory have no nodes
		})
		r.says(publish, map[string]any{
			"messaging.system": "rabbitmq", "messaging.operation.name": "publish", "messaging.operation.type": "send",
			"messaging.destination.name": "orders", "weir.destination.broker": "us", "weir.attempt": int64(1),
			"weir.destination.passed_over": nil,
		})
	})
}

// What is not sampled crosses as it came, and so does everything where there is nothing to trace.
func TestOtherMessagesAreLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		ratio       float64
		propagation configs.Propagation
		headers     broker.Table
		spans       int
	}{
		"not sampled":          {1, configs.PropagateUpdate, broker.Table{"traceparent": untraced, "tracestate": "a=b"}, 0},
		"not sampled, bytes":   {1, configs.PropagateUpdate, broker.Table{"traceparent": []byte(untraced)}, 0},
		"no context, no ratio": {0, configs.PropagateUpdate, broker.Table{"tenant": "a"}, 0},
		"no context at all":    {0, configs.PropagateUpdate, nil, 0},
		"not a context":        {1, configs.PropagateUpdate, broker.Table{"traceparent": int32(5)}, 0},
		"preserve":             {0, configs.PropagatePreserve, broker.Table{"traceparent": traced}, 2},
		"preserve, no context": {1, configs.PropagatePreserve, broker.Table{"tenant": "a"}, 2},
		"off":                  {1, configs.PropagateOff, broker.Table{"traceparent": traced}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, c.ratio, c.propagation, func(r *rig) {
				got := r.cross(&broker.Message{Headers: maps.Clone(c.headers)})
				if diff := cmp.Diff(c.headers, got.Headers); diff != "" {
					t.Errorf("headers at the destination (-want +got):\n%s", diff)
				}
				if n := len(r.spans.GetSpans()); n != c.spans {
					t.Errorf("%d spans, want %d: %v", n, c.spans, r.names())
				}
			})
		})
	}
}

// The ratio gives traces to messages that have none.
func TestRatioStartsTraces(t *testing.T) {
	play(t, 1, configs.PropagateUpdate, func(r *rig) {
		got := r.cross(&broker.Message{Headers: broker.Table{"tenant": "a"}})
		forward, publish := r.span("forward orders-to-us"), r.span("publish orders")
		if forward.Parent.IsValid() {
			t.Errorf("forward has a parent: %v", forward.Parent)
		}
		want := fmt.Sprintf("00-%s-%s-01", forward.SpanContext.TraceID(), publish.SpanContext.SpanID())
		if parent := got.Headers["traceparent"]; parent != want || got.Headers["tenant"] != "a" {
			t.Errorf("headers are %v, want traceparent %s beside the tenant", got.Headers, want)
		}
	})
	play(t, 0.5, configs.PropagateUpdate, func(r *rig) {
		for range 200 {
			r.put(r.eu, &broker.Message{})
		}
		r.run(r.has(r.us, 200), r.link("orders-to-us", r.eu, r.us))
		if n := len(r.spans.GetSpans()) / 2; n < 50 || n > 150 { // 7 standard deviations
			t.Errorf("%d of 200 messages are traced, want about half", n)
		}
	})
}

// A header is found as AMQP clients and Go's net/http write it, and goes on under its own name.
func TestOddHeadersAreRead(t *testing.T) {
	for name, headers := range map[string]broker.Table{
		"bytes":     {"traceparent": []byte(traced)},
		"title":     {"Traceparent": traced},
		"bad state": {"traceparent": traced, "tracestate": int32(5)},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, 0, configs.PropagateUpdate, func(r *rig) {
				got := r.cross(&broker.Message{Headers: headers})
				if parent := r.span("forward orders-to-us").Parent; parent.SpanID().String() != parentID {
					t.Errorf("parent is %v, want %s", parent.SpanID(), parentID)
				}
				if len(got.Headers) != len(headers) {
					t.Errorf("headers are %v, want no other than %v", got.Headers, headers)
				}
				id := r.span("publish orders").SpanContext.SpanID().String()
				for key, v := range got.Headers {
					if s, _ := v.(string); strings.EqualFold(key, "traceparent") && !strings.Contains(s, id) {
						t.Errorf("%s is %v, want the publish span %s", key, v, id)
					}
				}
			})
		})
	}
}

// Over two links a trace is one path, and each wait is that in its own queue.
func TestTraceIsAPathOverTwoHops(t *testing.T) {
	play(t, 0, configs.PropagateUpdate, func(r *rig) {
		r.put(r.eu, &broker.Message{Headers: broker.Table{"traceparent": traced}})
		r.after(30 * time.Second)
		r.us.Latency(250 * time.Millisecond)
		r.run(r.has(r.us, 1), r.link("first", r.eu, r.us))
		r.after(5 * time.Second)
		r.run(r.has(r.ap, 1), r.link("second", r.us, r.ap))

		spans := r.spans.GetSpans()
		parent := parentID
		for _, name := range []string{"forward first", "publish orders", "forward second", "publish orders"} {
			found := false
			for _, s := range spans {
				if s.Name == name && s.Parent.SpanID().String() == parent {
					parent, found = s.SpanContext.SpanID().String(), true
					break
				}
			}
			if !found {
				t.Fatalf("no span %q below %s: %v", name, parent, r.names())
			}
		}
		first, second := r.span("forward first"), r.span("forward second")
		r.says(first, map[string]any{"weir.source.wait_ms": int64(30_000), "weir.source.wait_from": link.FromBroker})
		if wait := attributes(second)["weir.source.wait_ms"].(int64); wait < 5000 || wait > 5100 {
			t.Errorf("wait at the second is %d ms, want 5000 to 5100", wait)
		}
		if took := first.EndTime.Sub(first.StartTime); took < 250*time.Millisecond || took > 300*time.Millisecond {
			t.Errorf("first took %v, want the 250 ms that its destination took, and little more", took)
		}
	})
}

// One span tells all tries of a message, whatever they met.
func TestEachFailedTryIsTold(t *testing.T) {
	play(t, 0, configs.PropagateUpdate, func(r *rig) {
		tries := 0
		r.us.Refuse(func(*broker.Message) error {
			if tries++; tries <= 2 {
				return fmt.Errorf("%w: full", broker.ErrRefused)
			}
			return nil
		})
		got := r.cross(&broker.Message{Headers: broker.Table{"traceparent": traced}})
		publish := r.span("publish orders")
		if parent := got.Headers["traceparent"].(string); !strings.Contains(parent, publish.SpanContext.SpanID().String()) {
			t.Errorf("traceparent is %s, want the publish span", parent)
		}
		if n := len(publish.Events); n != 2 {
			t.Fatalf("%d events, want 2: %v", n, publish.Events)
		}
		if event := fmt.Sprint(publish.Events[1].Attributes); !strings.Contains(event, "refused") {
			t.Errorf("event says %s, want error.type refused", event)
		}
		r.says(publish, map[string]any{"weir.attempt": int64(3)})
		r.says(r.span("forward orders-to-us"), map[string]any{"weir.attempts": int64(3), "weir.outcome": "forwarded"})
		if publish.Status.Code != codes.Unset {
			t.Errorf("status is %v, want none: the message is there", publish.Status)
		}
	})
}

// A message that never gets there is an error in its trace.
func TestLostCauseIsAnError(t *testing.T) {
	play(t, 0, configs.PropagateUpdate, func(r *rig) {
		r.us.Refuse(func(*broker.Message) error { return broker.ErrTooLarge })
		spec := r.link("orders-to-us", r.eu, r.us)
		spec.OnRefused = link.Recourse{Attempts: 1, Then: link.Drop}
		r.put(r.eu, &broker.Message{Headers: broker.Table{"traceparent": traced}, Properties: broker.Properties{MessageID: "o-1"}})
		r.run(func() bool { return len(r.spans.GetSpans()) == 2 }, spec)
		for _, s := range r.spans.GetSpans() {
			if s.Status.Code != codes.Error || s.Status.Description != "dropped" {
				t.Errorf("%s: status %v, want the error dropped", s.Name, s.Status)
			}
		}
		r.says(r.span("forward orders-to-us"), map[string]any{"weir.outcome": "dropped"})
		hops := r.telemetry.Find("o-1")
		if len(hops) != 1 || hops[0].Outcome != "dropped" || !strings.Contains(hops[0].Why, "too large") {
			t.Errorf("hops are %+v, want one, dropped because too large", hops)
		}
	})
}

// What was given back, at a stop while its destination was away, is told so, and its span ends.
func TestReturnedMessageEndsItsSpans(t *testing.T) {
	play(t, 0, configs.PropagateUpdate, func(r *rig) {
		spec := r.link("orders-to-us", r.eu, r.us)
		spec.DrainTimeout = time.Second
		r.us.HoldConfirms()
		r.put(r.eu, &broker.Message{Headers: broker.Table{"traceparent": traced}})
		var waited atomic.Int32
		r.run(func() bool { return waited.Add(1) > 20 }, spec)
		r.says(r.span("forward orders-to-us"), map[string]any{"weir.outcome": "returned"})
		if n := len(r.spans.GetSpans()); n != 2 {
			t.Errorf("%d spans ended, want 2: %v", n, r.names())
		}
	})
}

// Of an overflow it is told why, from what depth, and which destinations were passed over.
func TestOverflowTellsItsDecision(t *testing.T) {
	play(t, 0, configs.PropagateUpdate, func(r *rig) {
		ready := int64(12_873)
		spec := r.link("overflow", r.eu, r.us)
		spec.Switch = decided{link.OverflowStatus{
			Open: true, Mode: link.Auto, Thresholds: "messages-ready 10000..2000",
			Decisions: []link.Decision{{
				At: time.Now().Add(-3 * time.Second), Open: true, Why: "ready 12873, opens at 10000", Depth: link.Reading{Ready: &ready},
			}},
		}}
		observe := r.telemetry.Observe(r.config, spec)
		m := &broker.Message{Headers: broker.Table{"traceparent": traced}, Exchange: "orders", RoutingKey: "order.created"}
		hop := observe(m, node)
		hop.Sending(m)
		hop.Sent(broker.Place{Broker: "ap", At: broker.Address{Subject: "orders.eu"}}, "[fd00::1]:4222", []string{"us: full"})
		hop.Answered(nil)
		hop.Ended(link.Forwarded)
		r.says(r.span("forward overflow"), map[string]any{
			"weir.overflow.mode": "auto", "weir.overflow.thresholds": "messages-ready 10000..2000",
			"weir.overflow.why": "ready 12873, opens at 10000", "weir.source.depth": ready, "weir.source.depth_age_ms": int64(3000),
			"messaging.destination.name": "orders:order.created:orders", "server.address": "rmq-eu-1", "server.port": int64(5672),
		})
		r.says(r.span("publish orders.eu"), map[string]any{
			"messaging.system": "nats", "weir.destination.broker": "ap", "weir.destination.passed_over": []string{"us: full"},
			"server.address": "fd00::1", "server.port": int64(4222),
		})
	})
}

type decided struct{ link.OverflowStatus }

func (decided) Override(link.Mode)              {}
func (d decided) Overflow() link.OverflowStatus { return d.OverflowStatus }

// A collector that takes spans sees texts of producers cut.
func TestAttributesAreBounded(t *testing.T) {
	play(t, 0, configs.PropagateUpdate, func(r *rig) {
		long := strings.Repeat("x", 100_000)
		r.cross(&broker.Message{Headers: broker.Table{"traceparent": traced}, Properties: broker.Properties{MessageID: long}})
		if id := attributes(r.span("forward orders-to-us"))["messaging.message.id"].(string); len(id) != 1024 {
			t.Errorf("message id of %d bytes, want 1024", len(id))
		}
		if id := r.telemetry.Recent(1)[0].MessageID; len(id) > telemetry.TextLimit+len("…") {
			t.Errorf("hop with a message id of %d bytes, want at most %d", len(id), telemetry.TextLimit)
		}
		if n := len(r.telemetry.Find(long)); n != 1 {
			t.Errorf("found %d hops by the whole id, want 1", n)
		}
	})
}
