package brokertest

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/broker"
)

// Behaviours of what a message carries.
const (
	Properties = "properties are equal after a round trip"
	Headers    = "headers are equal in value and type after a round trip"
	EmptyBody  = "an empty body arrives empty"
	LargeBody  = "a body of 8 MiB arrives whole"
	OtherBytes = "a body of any bytes arrives byte for byte"
	NoEnvelope = "a message without properties and headers gets none"
)

var fidelity = []behaviour{
	{name: Properties, run: func(t *test) {
		m := &broker.Message{Properties: allProperties(), Body: []byte("body")}
		m.Properties.UserID = t.UserID
		t.roundTrip(m)
	}},

	{name: Headers, run: func(t *test) {
		t.roundTrip(append(oneByOne(), &broker.Message{Headers: EveryType(), Body: []byte("all")})...)
	}},

	{name: EmptyBody, run: func(t *test) {
		t.roundTrip(&broker.Message{Properties: broker.Properties{MessageID: "1"}})
	}},

	{name: LargeBody, run: func(t *test) {
		t.roundTrip(&broker.Message{Body: bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)})
	}},

	{name: OtherBytes, run: func(t *test) {
		body := make([]byte, 256)
		for i := range body {
			body[i] = byte(i)
		}
		t.roundTrip(&broker.Message{Body: body})
	}},

	{name: NoEnvelope, run: func(t *test) {
		t.roundTrip(&broker.Message{Body: []byte("body")})
	}},
}

// roundTrip sends messages and compares them with what comes back by the driver, and without it where the harness can
// look.
func (t *test) roundTrip(ms ...*broker.Message) {
	t.Helper()
	q := t.Queue(QueueOptions{})
	k := t.sink(q.Sink)
	receive := func() []*broker.Message {
		s := t.source(q.Source, len(ms))
		got := t.receive(s, len(ms))
		t.ack(s, got[len(got)-1])
		t.shut(s)
		return got
	}
	t.confirmed(t.send(k, ms...))
	t.equal("by the driver (-sent +received)", ms, receive())
	if t.Take != nil {
		t.confirmed(t.send(k, ms...))
		t.equal("sent by the driver, looked at without it (-sent +stored)", ms, t.Take(q, len(ms)))
	}
	if t.Publish != nil {
		t.Publish(q, ms...)
		t.equal("stored without the driver, received by it (-stored +received)", ms, receive())
	}
}

func (t *test) equal(how string, want, got []*broker.Message) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d messages, want %d", how, len(got), len(want))
	}
	for i := range want {
		if d := Diff(want[i], got[i]); d != "" {
			t.Errorf("message %d (%s) %s:\n%s", i+1, brief(want[i].Body), how, d)
		}
	}
}

// oneByOne is a message for each of EveryType, so that a failure names the culprit.
func oneByOne() []*broker.Message {
	every := EveryType()
	var ms []*broker.Message
	for _, name := range slices.Sorted(maps.Keys(every)) {
		ms = append(ms, &broker.Message{Headers: broker.Table{name: every[name]}, Body: []byte(name)})
	}
	return ms
}

// Transport carries messages from one broker to another and back, as two links would, and compares them with what was
// sent.
func Transport(t *testing.T, from, to Harness) {
	t.Helper()
	a, b := from.start(t), to.start(t)
	start, middle, end := a.Queue(QueueOptions{}), b.Queue(QueueOptions{}), a.Queue(QueueOptions{})

	sent := append(oneByOne(), Rich(), &broker.Message{Body: []byte("bare")}, &broker.Message{})
	a.publish(start, sent...)

	carry := func(a, b *test, source, sink broker.Address) {
		t.Helper()
		s, k := a.source(source, len(sent)), b.sink(sink)
		ms := a.receive(s, len(sent))
		b.confirmed(b.send(k, ms...))
		a.ack(s, ms[len(ms)-1])
		a.shut(s)
	}
	carry(a, b, start.Source, middle.Sink)
	carry(b, a, middle.Source, end.Sink)
	a.equal("there and back (-sent +received)", sent, a.take(end, len(sent)))
}

// Rich is a message with everything that a message can carry.
func Rich() *broker.Message {
	return &broker.Message{Properties: allProperties(), Headers: EveryType(), Body: []byte("\x00rich\xff")}
}

func allProperties() broker.Properties {
	return broker.Properties{
		ContentType:     "application/json; charset=utf-8",
		ContentEncoding: "gzip",
		DeliveryMode:    2,
		Priority:        7,
		CorrelationID:   "correlation é",
		ReplyTo:         "replies",
		Expiration:      "3600000",
		MessageID:       "id 1: with blanks, \"quotes\" and\ttabs",
		Timestamp:       time.Unix(1_700_000_000, 0),
		Type:            "order.created",
		AppID:           "shop",
	}
}

// EveryType is a table with a value of every type that a header can have, and with the values that are easily mistaken
// for others. There is no NaN and no infinity: RabbitMQ cannot read them (Erlang has none) and closes the connection.
func EveryType() broker.Table {
	return broker.Table{
		"nil":            nil,
		"true":           true,
		"false":          false,
		"int8":           int8(math.MinInt8),
		"int16":          int16(math.MinInt16),
		"int32":          int32(math.MinInt32),
		"int64":          int64(math.MinInt64),
		"int64-max":      int64(math.MaxInt64),
		"int64-small":    int64(1),
		"int32-small":    int32(1),
		"uint8":          uint8(math.MaxUint8),
		"uint16":         uint16(math.MaxUint16),
		"uint32":         uint32(math.MaxUint32),
		"float32":        float32(0.1),
		"float64":        0.1,
		"float64-whole":  float64(3),
		"float64-max":    math.MaxFloat64,
		"float64-tiny":   math.SmallestNonzeroFloat64,
		"decimal":        broker.Decimal{Scale: 2, Value: -12345},
		"decimal-zero":   broker.Decimal{},
		"string":         "Grüße, 世界 \x00\r\n",
		"string-empty":   "",
		"string-number":  "1",
		"string-bytes":   "not utf-8: \xff\xfe",
		"string-long":    strings.Repeat("long", 1000),
		"bytes":          []byte("bytes"),
		"bytes-empty":    []byte{},
		"bytes-any":      []byte{0, 0xff, 0xfe, '\r', '\n'},
		"time":           time.Unix(1_700_000_000, 0),
		"time-epoch":     time.Unix(0, 0),
		"time-far":       time.Unix(1<<34, 0),
		"array":          broker.Array{int32(1), "two", []byte("three"), nil, broker.Array{}, broker.Table{"four": int16(4)}},
		"array-empty":    broker.Array{},
		"table":          broker.Table{"inner": broker.Table{"innermost": broker.Array{broker.Table{"n": int64(1)}}}, "t": time.Unix(1, 0)},
		"table-empty":    broker.Table{},
		"Case-Kept":      "upper",
		"case-kept":      "lower",
		"name: blank, é": "any name",
	}
}
