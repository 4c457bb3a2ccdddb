package brokertest

import (
	"strings"
	"testing"
	"time"

	"weir/broker"
)

func TestDiffSeesValueAndType(t *testing.T) {
	for name, change := range map[string]func(m *broker.Message){
		"int32 for int64":      func(m *broker.Message) { m.Headers["int64-small"] = int32(1) },
		"string for bytes":     func(m *broker.Message) { m.Headers["bytes"] = "bytes" },
		"nil for empty string": func(m *broker.Message) { m.Headers["string-empty"] = nil },
		"nil for empty table":  func(m *broker.Message) { m.Headers["table-empty"] = nil },
		"array for table":      func(m *broker.Message) { m.Headers["table-empty"] = broker.Array{} },
		"map for table":        func(m *broker.Message) { m.Headers["table-empty"] = map[string]any{} },
		"a header less":        func(m *broker.Message) { delete(m.Headers, "nil") },
		"a header more":        func(m *broker.Message) { m.Headers["x-more"] = nil },
		"another second":       func(m *broker.Message) { m.Headers["time"] = m.Headers["time"].(time.Time).Add(time.Second) },
		"deep inside":          func(m *broker.Message) { m.Headers["array"].(broker.Array)[5].(broker.Table)["four"] = int8(4) },
		"scale of a decimal":   func(m *broker.Message) { m.Headers["decimal-zero"] = broker.Decimal{Scale: 1} },
		"a property":           func(m *broker.Message) { m.Properties.Priority++ },
		"a timestamp":          func(m *broker.Message) { m.Properties.Timestamp = time.Time{} },
		"a byte more":          func(m *broker.Message) { m.Body = append(m.Body, 0) },
		"a byte less":          func(m *broker.Message) { m.Body = m.Body[1:] },
	} {
		got := Rich()
		change(got)
		if Diff(Rich(), got) == "" {
			t.Errorf("%s: no difference seen", name)
		}
	}
}

func TestDiffLetsPassWhatIsEqual(t *testing.T) {
	other := Rich()
	other.Properties.Timestamp = other.Properties.Timestamp.UTC().Add(time.Millisecond)
	other.Exchange, other.Redelivered, other.Tag = "x", true, 7
	if d := Diff(Rich(), other); d != "" {
		t.Errorf("same second, other place: %s", d)
	}
	if d := Diff(&broker.Message{}, &broker.Message{Headers: broker.Table{}, Body: []byte{}}); d != "" {
		t.Errorf("nil and empty: %s", d)
	}
}

func TestDiffOfLargeBodiesIsShort(t *testing.T) {
	want := &broker.Message{Body: make([]byte, 8<<20)}
	got := &broker.Message{Body: make([]byte, 8<<20)}
	got.Body[5<<20] = 'x'
	d := Diff(want, got)
	if len(d) > 1000 || !strings.Contains(d, "byte 5242880") {
		t.Errorf("got %d characters: %.200s", len(d), d)
	}
}
