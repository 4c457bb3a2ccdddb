package telemetry_test

import (
	"context"
	"testing"

	"weir/broker"
	"weir/configs"
	"weir/internal/telemetry"
	"weir/link"
)

const (
	traced   = "00-69964a11e210ded645845853a8df0cd4-553ab4ae0bcecb24-01"
	untraced = "00-69964a11e210ded645845853a8df0cd4-553ab4ae0bcecb24-00"
	traceID  = "69964a11e210ded645845853a8df0cd4"
	parentID = "553ab4ae0bcecb24"
)

// Of a message that has a trace context, the flag alone decides; what is no context is nobody's to judge.
func TestTheFlagDecides(t *testing.T) {
	for value, want := range map[any]any{
		nil:                           telemetry.Undecided, // there, without a value
		traced:                        telemetry.Sampled,
		untraced:                      telemetry.Unsampled,
		traced[:53] + "03":            telemetry.Sampled,   // sampled and random
		traced[:53] + "02":            telemetry.Unsampled, // random
		traced[:53] + "0b":            telemetry.Sampled,
		traced[:53] + "0a":            telemetry.Unsampled,
		"cc" + traced[2:] + "-future": telemetry.Sampled, // a later version
		traced[:54]:                   telemetry.Unsampled,
		"":                            telemetry.Unsampled,
		int64(1):                      telemetry.Unsampled,
		true:                          telemetry.Unsampled,
	} {
		if got := telemetry.Follows(broker.Table{"traceparent": value}); got != want {
			t.Errorf("%v is %v, want %v", value, got, want)
		}
	}
	for name, c := range map[string]struct {
		headers broker.Table
		want    any
	}{
		"no headers":         {nil, telemetry.Undecided},
		"other headers":      {broker.Table{"tracestate": "a=b", "TRACEPARENT": traced}, telemetry.Undecided},
		"bytes":              {broker.Table{"traceparent": []byte(traced)}, telemetry.Sampled},
		"bytes, unsampled":   {broker.Table{"traceparent": []byte(untraced)}, telemetry.Unsampled},
		"a table":            {broker.Table{"traceparent": broker.Table{}}, telemetry.Unsampled},
		"as net/http writes": {broker.Table{"Traceparent": traced}, telemetry.Sampled},
		"both":               {broker.Table{"Traceparent": traced, "traceparent": untraced}, telemetry.Unsampled},
	} {
		if got := telemetry.Follows(c.headers); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// unsampledMessages are those that must cost nothing.
func unsampledMessages() map[string]*broker.Message {
	return map[string]*broker.Message{
		"flag":       {Headers: broker.Table{"traceparent": untraced, "tenant": "a", "n": int32(1)}},
		"bytes":      {Headers: broker.Table{"traceparent": []byte(untraced)}},
		"no context": {Headers: broker.Table{"tenant": "a", "n": int32(1)}},
		"no headers": {},
	}
}

// node is one of a broker's.
const node = "rmq-eu-1:5672"

func observer(t testing.TB, ratio float64) link.Observe {
	t.Helper()
	cfg := &configs.Config{}
	cfg.Telemetry.Traces = configs.Traces{Ratio: ratio, Endpoint: "http://127.0.0.1:1"}
	tele, err := telemetry.New(t.Context(), cfg, telemetry.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tele.Shutdown(context.WithoutCancel(t.Context())) })
	return tele.Observe(cfg, link.Spec{Name: "orders", Destination: link.To{}})
}

func TestUnsampledMessagesCostNoAllocation(t *testing.T) {
	observe := observer(t, 1e-12)
	for name, m := range unsampledMessages() {
		if n := testing.AllocsPerRun(1000, func() { observe(m, node) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkUnsampled(b *testing.B) {
	observe := observer(b, 1e-12)
	for name, m := range unsampledMessages() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if observe(m, node) != nil {
					b.Fatal("followed")
				}
			}
		})
	}
}

// BenchmarkSampled is a whole hop of a message that is traced, to an exporter that throws spans away.
func BenchmarkSampled(b *testing.B) {
	observe := observer(b, 1)
	m := unsampledMessages()["no context"]
	headers := m.Headers
	b.ReportAllocs()
	for b.Loop() {
		m.Headers = headers
		hop := observe(m, node)
		hop.Sending(m)
		hop.Sent(broker.Place{Broker: "us", At: broker.Address{Queue: "orders"}}, node, nil)
		hop.Answered(nil)
		hop.Ended(link.Forwarded)
	}
}
