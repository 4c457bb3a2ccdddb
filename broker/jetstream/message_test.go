package jetstream

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"weir/broker"
	"weir/broker/brokertest"
)

// carry encodes m, sends the headers as bytes as NATS would, and decodes them.
func carry(t *testing.T, m *broker.Message, withAddress bool) (nats.Header, *broker.Message) {
	t.Helper()
	var e encoder
	h, err := e.encode(m, withAddress)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	var b strings.Builder
	b.WriteString("NATS/1.0\r\n")
	for name, values := range h {
		for _, v := range values {
			b.WriteString(name + ": " + v + "\r\n")
		}
	}
	wire, err := nats.DecodeHeadersMsg([]byte(b.String() + "\r\n"))
	if err != nil {
		t.Fatalf("NATS does not read %q: %v", b.String(), err)
	}
	got := &broker.Message{Body: m.Body}
	decode(wire, got)
	return h, got
}

func TestEveryTypeTravels(t *testing.T) {
	for name, v := range brokertest.EveryType() {
		m := &broker.Message{Headers: broker.Table{name: v}}
		if _, got := carry(t, m, false); brokertest.Diff(m, got) != "" {
			t.Errorf("%s (-sent +received):\n%s", name, brokertest.Diff(m, got))
		}
	}
	m := brokertest.Rich()
	if _, got := carry(t, m, false); brokertest.Diff(m, got) != "" {
		t.Errorf("all together (-sent +received):\n%s", brokertest.Diff(m, got))
	}
}

func TestStringsTravelAsOrdinaryHeaders(t *testing.T) {
	m := &broker.Message{Headers: broker.Table{"traceparent": "00-aa-bb-01", "X-Region": "eu", "x-region": "us", "Empty": ""}}
	h, _ := carry(t, m, false)
	want := nats.Header{"traceparent": {"00-aa-bb-01"}, "X-Region": {"eu"}, "x-region": {"us"}, "Empty": {""}}
	if d := cmp.Diff(want, h); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWhatNATSWouldChangeTravelsTyped(t *testing.T) {
	for name, v := range map[string]any{
		"with blank":  "v",
		"colon:":      "v",
		"":            "v",
		"Nats-Rollup": "all",
		"Amqp-Type":   "not the property",
		"Trimmed":     " v",
		"Cut":         "a\r\nNats-Rollup: all",
		"Bytes":       "\xff",
		"List-Of-One": broker.Array{"v"},
		"Mixed":       broker.Array{"v", int32(1)},
	} {
		m := &broker.Message{Headers: broker.Table{name: v}}
		h, got := carry(t, m, false)
		if names := slices.Collect(maps.Keys(h)); !slices.Equal(names, []string{typedHeader}) {
			t.Errorf("%q travels in %v, want it in %s alone", name, names, typedHeader)
		}
		if d := brokertest.Diff(m, got); d != "" {
			t.Errorf("%q (-sent +received):\n%s", name, d)
		}
	}
}

func TestPropertiesOfAnyValueTravel(t *testing.T) {
	for _, odd := range []string{" a", "a\r\nNats-Rollup: all", "\xff\x00", "é", "\t"} {
		m := &broker.Message{Properties: broker.Properties{CorrelationID: odd, MessageID: odd, AppID: "plain"}}
		h, got := carry(t, m, false)
		if d := brokertest.Diff(m, got); d != "" {
			t.Errorf("%q (-sent +received):\n%s", odd, d)
		}
		if _, found := h["Nats-Rollup"]; found {
			t.Errorf("%q became a header of its own", odd)
		}
	}
	epoch := &broker.Message{Properties: broker.Properties{Timestamp: time.Unix(0, 0)}}
	if _, got := carry(t, epoch, false); !got.Properties.Timestamp.Equal(epoch.Properties.Timestamp) {
		t.Errorf("got timestamp %v, want 1970, which is not the same as none", got.Properties.Timestamp)
	}
}

func TestNativeHeadersTravel(t *testing.T) {
	h := nats.Header{"X-One": {"1"}, "x-many": {"a", "b", "a"}, "Amqp-Priority": {"high"}, "Amqp-Headers": {"not ours"}}
	m := &broker.Message{}
	decode(h, m)
	want := broker.Table{"X-One": "1", "x-many": broker.Array{"a", "b", "a"}, "Amqp-Priority": "high", "Amqp-Headers": "not ours"}
	if d := cmp.Diff(want, m.Headers); d != "" {
		t.Fatalf("read (-want +got):\n%s", d)
	}
	again, got := carry(t, m, false)
	if d := brokertest.Diff(m, got); d != "" {
		t.Errorf("sent on (-want +got):\n%s", d)
	}
	for _, name := range []string{"X-One", "x-many"} {
		if !slices.Equal(again[name], h[name]) {
			t.Errorf("%s is sent on as %v, want it ordinary as %v", name, again[name], h[name])
		}
	}
}

func TestOrdersToTheBrokerNeverTravel(t *testing.T) {
	m := &broker.Message{}
	decode(nats.Header{
		"Nats-Msg-Id": {"1"}, "Nats-Rollup": {"all"}, "Nats-Expected-Last-Sequence": {"7"}, "Nats-TTL": {"1s"},
		"Nats-Schedule": {"@at x"}, "Nats-Batch-Id": {"b"}, "Nats-Trace-Only": {"true"}, "Nats-Stream": {"S"},
	}, m)
	if m.Headers != nil || m.Properties != (broker.Properties{}) {
		t.Errorf("got %+v, want nothing of it", m)
	}
}

func TestAddressTravelsWhereTheSubjectDoesNotSayIt(t *testing.T) {
	for _, c := range []struct{ exchange, key string }{{"orders", "order.created"}, {"", "work"}, {"a\nb", " c"}, {"orders", ""}} {
		_, got := carry(t, &broker.Message{Exchange: c.exchange, RoutingKey: c.key}, true)
		if got.Exchange != c.exchange || got.RoutingKey != c.key {
			t.Errorf("exchange %q, key %q: got %q, %q", c.exchange, c.key, got.Exchange, got.RoutingKey)
		}
	}
}

// What no broker can carry is an error, not a guess.
func TestForeignTypesAreRefused(t *testing.T) {
	var e encoder
	for _, v := range []any{1, uint64(1), struct{}{}, []string{"a"}, broker.Array{broker.Table{"deep": 1}}} {
		if _, err := e.encode(&broker.Message{Headers: broker.Table{"h": v}}, false); err == nil {
			t.Errorf("%T: got no error", v)
		}
	}
}

func TestBadTypedTablesAreRefused(t *testing.T) {
	for _, s := range []string{
		``, `null`, `1`, `[]`, `{`, `{} {}`, `{"a":1}`, `{"a":{}}`, `{"a":{"int8":1,"int16":1}}`, `{"a":{"int8":128}}`,
		`{"a":{"int8":1.5}}`, `{"a":{"uint8":-1}}`, `{"a":{"int64":{}}}`, `{"a":{"bytes":"!"}}`, `{"a":{"table":[]}}`,
		`{"a":{"array":{}}}`, `{"a":{"decimal":[1]}}`, `{"a":{"decimal":[256,1]}}`, `{"a":{"what":1}}`, `{"%zz":"v"}`,
	} {
		if got, err := parseTable(s); err == nil {
			t.Errorf("%s: got %v, want an error", s, got)
		}
	}
}

// Any table that is read is written and read back the same.
func FuzzTypedTable(f *testing.F) {
	b, err := appendTable(nil, brokertest.EveryType())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add(`{"%25":{"float64":"NaN"},"a":{"float32":1e-45},"b":{"float64":-0}}`)
	f.Fuzz(func(t *testing.T, s string) {
		first, err := parseTable(s)
		if err != nil {
			return
		}
		b, err := appendTable(nil, first)
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", s, err)
		}
		again, err := parseTable(string(b))
		if err != nil {
			t.Fatalf("%s cannot be read back: %v", b, err)
		}
		one, two := &broker.Message{Headers: first}, &broker.Message{Headers: again}
		if d := brokertest.Diff(one, two); d != "" {
			t.Fatalf("%s (-first +again):\n%s", b, d)
		}
	})
}

// Any text as a name and as a value travels, in a header and in a property.
func FuzzText(f *testing.F) {
	f.Add("name", "value")
	f.Add("Nats-Rollup", "\r\n")
	f.Add("%41", " \xff")
	f.Fuzz(func(t *testing.T, name, value string) {
		m := &broker.Message{
			Properties: broker.Properties{Type: value, DeliveryMode: math.MaxUint8},
			Headers:    broker.Table{name: value, name + "2": broker.Array{value, value}},
		}
		if _, got := carry(t, m, false); brokertest.Diff(m, got) != "" {
			t.Fatalf("(-sent +received):\n%s", brokertest.Diff(m, got))
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	var e encoder
	m := &broker.Message{
		Properties: broker.Properties{ContentType: "application/json", DeliveryMode: 2, MessageID: "id-1", Timestamp: time.Unix(1, 0)},
		Headers:    broker.Table{"traceparent": "00-aa-bb-01", "region": "eu", "customer": "acme"},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.encode(m, false); err != nil {
			b.Fatal(err)
		}
	}
}
