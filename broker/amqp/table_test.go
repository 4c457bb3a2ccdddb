package amqp

import (
	"errors"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/brokertest"
)

// Ensure every type that a header can have comes back as it was, and that sending does not change it.
func TestTableRoundTrip(t *testing.T) {
	headers, same := brokertest.EveryType(), brokertest.EveryType()
	out, err := toTable(headers)
	check(t, err)
	if err := out.Validate(); err != nil {
		t.Errorf("the library would not send it: %v", err)
	}
	if !reflect.DeepEqual(headers, same) {
		t.Error("toTable has changed its argument")
	}
	if got := fromTable(out); !reflect.DeepEqual(got, same) {
		t.Errorf("got %#v\nwant %#v", got, same)
	}
}

// Ensure a table without nested values, which is the rule, is not copied.
func TestTableNotCopied(t *testing.T) {
	headers := amqp091.Table{"a": "text", "b": int64(1)}
	if allocs := testing.AllocsPerRun(100, func() { _ = fromTable(headers) }); allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}

// Ensure what would end the connection is refused for this message only.
func TestTableRefused(t *testing.T) {
	deep := func(levels int) any {
		var v any = "bottom"
		for range levels {
			v = broker.Array{v}
		}
		return v
	}
	wide := broker.Table{}
	for i := range mostElements + 1 {
		wide[strings.Repeat("x", i%200)+string(rune('A'+i%26))+string(rune(i+256))] = nil
	}
	for name, c := range map[string]struct {
		value any
		ok    bool
	}{
		"deep enough":    {deep(mostNested), true},
		"too deep":       {deep(mostNested + 1), false},
		"long enough":    {make(broker.Array, mostElements), true},
		"too long":       {make(broker.Array, mostElements+1), false},
		"too wide":       {wide, false},
		"long inner key": {broker.Table{strings.Repeat("k", 256): 1}, false},
		"int":            {1, false},
		"uint64":         {uint64(1), false},
		"struct":         {struct{}{}, false},
		"foreign table":  {map[string]any{}, false},
		"inner int":      {broker.Array{broker.Table{"n": 1}}, false},
		"NaN":            {math.NaN(), false},
		"infinity":       {float32(math.Inf(1)), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := new(content).of(&broker.Message{Headers: broker.Table{"header": c.value}}, 0)
			if c.ok && err != nil || !c.ok && !errors.Is(err, broker.ErrRefused) {
				t.Errorf("got %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), `"header"`) {
				t.Errorf("%q does not name the header", err)
			}
		})
	}
}

// Ensure texts and headers that do not fit are refused, and that the largest that fits is not.
func TestMessageRefused(t *testing.T) {
	long := strings.Repeat("x", 256)
	for name, p := range map[string]broker.Properties{
		"content-type": {ContentType: long}, "correlation-id": {CorrelationID: long}, "message-id": {MessageID: long},
		"reply-to": {ReplyTo: long}, "expiration": {Expiration: long}, "type": {Type: long}, "user-id": {UserID: long},
		"app-id": {AppID: long}, "content-encoding": {ContentEncoding: long},
	} {
		if _, err := new(content).of(&broker.Message{Properties: p}, 0); !errors.Is(err, broker.ErrRefused) {
			t.Errorf("%s: got %v, want ErrRefused", name, err)
		}
	}
	m := &broker.Message{Headers: broker.Table{"h": strings.Repeat("x", frameMax)}}
	if _, err := new(content).of(m, frameMax); !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("headers larger than a frame: got %v, want ErrTooLarge", err)
	}
	m.Body = make([]byte, 2*frameMax) // which splits
	m.Headers["h"] = "short"
	if _, err := new(content).of(m, frameMax); err != nil {
		t.Errorf("a body larger than a frame: %v", err)
	}
}

// Ensure the broker's own counters are taken out of the headers and kept, and everything else stays.
func TestIncomingOrigin(t *testing.T) {
	m := incoming(&amqp091.Delivery{Headers: amqp091.Table{
		"x-delivery-count": int64(3), "x-acquired-count": int64(5), "timestamp_in_ms": int64(1_700_000_000_123), "mine": "kept",
	}}, "vhost/queue")
	if want := (broker.Table{"timestamp_in_ms": int64(1_700_000_000_123), "mine": "kept"}); !maps.Equal(m.Headers, want) {
		t.Errorf("headers %v, want %v", m.Headers, want)
	}
	if m.Origin.Returns != 5 || m.Origin.Stored.UnixMilli() != 1_700_000_000_123 || m.Origin.Scope != "vhost/queue" {
		t.Errorf("origin %+v", m.Origin)
	}
}

// Ensure no headers, however odd, break the translation: what is accepted comes back equal and the library would write it.
func FuzzTable(f *testing.F) {
	f.Add([]byte("F\x02kS\x01vA\x02tI"))
	f.Fuzz(func(t *testing.T, text []byte) {
		headers, _ := tableOf(&text, 0).(broker.Table)
		out, err := toTable(headers)
		if err != nil {
			return
		}
		if err := out.Validate(); err != nil {
			t.Fatalf("accepted, but the library would not: %v", err)
		}
		if got := fromTable(out); len(got)+len(headers) > 0 && !reflect.DeepEqual(got, headers) {
			t.Fatalf("got %#v, want %#v", got, headers)
		}
		encoded, err := appendTable(nil, headers)
		if err != nil {
			t.Fatal(err)
		}
		if sortTable(encoded); sortField(append([]byte{'F'}, encoded...)) != 1+len(encoded) {
			t.Fatalf("%q is no table", encoded)
		}
	})
}

// tableOf makes a value of fuzzed bytes, a table on top.
func tableOf(text *[]byte, depth int) any {
	next := func() byte {
		if len(*text) == 0 {
			return 0
		}
		b := (*text)[0]
		*text = (*text)[1:]
		return b
	}
	kind := next()
	if depth == 0 {
		kind = 'F'
	}
	if depth > 40 {
		return nil
	}
	switch kind {
	case 'F':
		v := broker.Table{}
		for range next() % 8 {
			v[string(next())] = tableOf(text, depth+1)
		}
		return v
	case 'A':
		v := broker.Array{}
		for range next() % 8 {
			v = append(v, tableOf(text, depth+1))
		}
		return v
	case 'D':
		return broker.Decimal{Scale: next(), Value: int32(next())}
	case 'S':
		return string(next())
	case 'x':
		return []byte{next()}
	case 't':
		return next()%2 == 0
	case 'd':
		return math.Float64frombits(uint64(next()) << 52)
	case 'I':
		return int32(next())
	case 'n':
		return int(next())
	default:
		return nil
	}
}
