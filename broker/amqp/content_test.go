package amqp

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/brokertest"
)

// Ensure a content header is byte for byte what amqp091-go itself would have written. Tables have one entry at most here:
// the library writes more in any order.
func TestContentIsAsTheLibraryWritesIt(t *testing.T) {
	var f farEnd
	ch := f.open(t)
	var c content
	n := 0
	header := func(p amqp091.Publishing) []byte {
		_, err := ch.PublishWithDeferredConfirm("exchange", "key", true, false, p)
		check(t, err)
		n++
		return f.lastHeader(n)
	}
	compare := func(name string, m *broker.Message) {
		t.Helper()
		theirs, err := toTable(m.Headers)
		check(t, err)
		p := &m.Properties
		want := header(amqp091.Publishing{
			Headers: theirs, ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, DeliveryMode: p.DeliveryMode,
			Priority: p.Priority, CorrelationId: p.CorrelationID, ReplyTo: p.ReplyTo, Expiration: p.Expiration,
			MessageId: p.MessageID, Timestamp: p.Timestamp, Type: p.Type, UserId: p.UserID, AppId: p.AppID, Body: m.Body,
		})
		ours, err := c.of(m, frameMax)
		check(t, err)
		if got := header(ours); !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%q\nwant\n%q", name, got, want)
		}
	}
	compare("nothing", &broker.Message{})
	compare("empty headers", &broker.Message{Headers: broker.Table{}, Body: []byte("body")})
	for name, p := range map[string]broker.Properties{
		"content-type": {ContentType: "t"}, "content-encoding": {ContentEncoding: "e"}, "delivery-mode": {DeliveryMode: 2},
		"priority": {Priority: 255}, "correlation-id": {CorrelationID: "c"}, "reply-to": {ReplyTo: "r"},
		"expiration": {Expiration: "1000"}, "message-id": {MessageID: strings.Repeat("m", mostShort)},
		"timestamp": {Timestamp: time.Unix(1_700_000_000, 0)}, "epoch": {Timestamp: time.Unix(0, 0)},
		"type": {Type: "t"}, "user-id": {UserID: "u"}, "app-id": {AppID: "a"},
		"all": everyProperty(),
	} {
		compare(name, &broker.Message{Properties: p})
		compare(name+" and a header", &broker.Message{Properties: p, Headers: broker.Table{"a": "b"}, Body: []byte("body")})
	}
	for name, value := range brokertest.EveryType() {
		if name == "table" { // with two entries
			value = broker.Table{"inner": broker.Array{broker.Table{"n": int64(1)}}}
		}
		compare(name, &broker.Message{Headers: broker.Table{name: value}})
	}
}

func everyProperty() broker.Properties {
	return broker.Properties{
		ContentType: "text/plain", ContentEncoding: "gzip", DeliveryMode: 2, Priority: 9, CorrelationID: "correlation",
		ReplyTo: "amq.rabbitmq.reply-to", Expiration: "60000", MessageID: "message", Timestamp: time.Unix(1_700_000_000, 0),
		Type: "order", UserID: "shop", AppID: "app",
	}
}

// Ensure what is sent is received as it was, whatever its headers and its size, and that nothing of a message stays for
// the next one.
func TestContentArrives(t *testing.T) {
	ch := new(farEnd).open(t)
	deliveries, err := ch.Consume("queue", "consumer", true, false, false, false, nil)
	check(t, err)
	hop := func(cluster string) broker.Table {
		return broker.Table{"uri": "amqp://" + cluster, "cluster-name": cluster, "vhost": "/", "exchange": "x", "redelivered": false,
			"timestamp_in_ms": int64(1_700_000_000_123)}
	}
	var c content
	for name, m := range map[string]*broker.Message{
		"nothing":           {},
		"body":              {Body: []byte("body")},
		"body in frames":    {Headers: broker.Table{"a": "b"}, Body: bytes.Repeat([]byte("0123456789"), 40_000)},
		"properties":        {Properties: everyProperty(), Body: []byte("body")},
		"every type":        {Properties: everyProperty(), Headers: brokertest.EveryType(), Body: []byte("body")},
		"two hops":          {Headers: broker.Table{"x-received-from": broker.Array{hop("eu"), hop("us")}, "mine": int32(1)}, Body: []byte("body")},
		"large headers":     {Headers: broker.Table{"a": strings.Repeat("a", 100_000), "b": broker.Array{}}, Body: []byte("body")},
		"what the wrapping": {Headers: broker.Table{"": []byte("looks like")}, Body: []byte("body")},
		"encoded content":   {Headers: broker.Table{"": []byte("\x00\x00")}},
	} {
		if _, err := c.of(&broker.Message{Headers: broker.Table{"kept": "no", "wrong": 1}}, frameMax); !errors.Is(err, broker.ErrRefused) {
			t.Fatalf("got %v, want ErrRefused", err)
		}
		p, err := c.of(m, frameMax)
		check(t, err)
		_, err = ch.PublishWithDeferredConfirm("exchange", "key", true, false, p)
		check(t, err)
		d := <-deliveries
		if diff := brokertest.Diff(m, incoming(&d, "")); diff != "" {
			t.Errorf("%s (-sent +received)\n%s", name, diff)
		}
	}
}

// Ensure that of a thousand messages made by chance each is received as it was sent. amqp091-go, which reads them, shares no
// code with what writes them.
func TestContentArrivesByChance(t *testing.T) {
	ch := new(farEnd).open(t)
	deliveries, err := ch.Consume("queue", "consumer", true, false, false, false, nil)
	check(t, err)
	var c content
	for seed := range uint64(1000) {
		m := anyMessage(rand.New(rand.NewPCG(seed, 0)))
		p, err := c.of(m, frameMax)
		check(t, err)
		_, err = ch.PublishWithDeferredConfirm("exchange", "key", true, false, p)
		check(t, err)
		d := <-deliveries
		if diff := brokertest.Diff(m, incoming(&d, "")); diff != "" {
			t.Fatalf("seed %d (-sent +received)\n%s", seed, diff)
		}
	}
}

func anyMessage(r *rand.Rand) *broker.Message {
	text := func() string { return anyText(r, mostShort) }
	m := &broker.Message{
		Headers: anyTable(r, 0),
		Body:    []byte(anyText(r, 3000)),
		Properties: broker.Properties{
			ContentType: text(), ContentEncoding: text(), DeliveryMode: uint8(r.Uint32()), Priority: uint8(r.Uint32()),
			CorrelationID: text(), ReplyTo: text(), Expiration: text(), MessageID: text(), Type: text(), UserID: text(), AppID: text(),
		},
	}
	if r.IntN(2) == 0 {
		m.Properties.Timestamp = time.Unix(int64(r.Uint64()>>r.IntN(64)), 0)
	}
	return m
}

// anyText is of any bytes, and often empty.
func anyText(r *rand.Rand, most int) string {
	b := make([]byte, max(0, r.IntN(2*most)-most))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func anyTable(r *rand.Rand, depth int) broker.Table {
	t := make(broker.Table)
	for range r.IntN(6) {
		t[anyText(r, mostShort)] = anyValue(r, depth)
	}
	return t
}

func anyValue(r *rand.Rand, depth int) any {
	n := r.Uint64() >> r.IntN(64)
	scalars := [...]any{
		nil, n&1 == 0, int8(n), uint8(n), int16(n), uint16(n), int32(n), uint32(n), int64(n), r.Float32(), r.NormFloat64(),
		broker.Decimal{Scale: uint8(n), Value: int32(n)}, anyText(r, 2000), []byte(anyText(r, 2000)), time.Unix(int64(n), 0),
	}
	i := r.IntN(len(scalars) + 2)
	switch {
	case i < len(scalars):
		return scalars[i]
	case depth == 3:
		return broker.Array{}
	case i == len(scalars):
		return anyTable(r, depth+1)
	default:
		a := broker.Array{}
		for range r.IntN(4) {
			a = append(a, anyValue(r, depth+1))
		}
		return a
	}
}

// Ensure the largest content header that fits into a frame is sent, and the next larger one is refused.
func TestContentFillsAFrame(t *testing.T) {
	var f farEnd
	ch := f.open(t)
	room := frameMax - len("\x02\x00\x01....") - len("\x00\x3c\x00\x00........\x20\x00....\x01hS....") - len("\xce")
	var c content
	p, err := c.of(&broker.Message{Headers: broker.Table{"h": strings.Repeat("x", room)}}, frameMax)
	check(t, err)
	_, err = ch.PublishWithDeferredConfirm("exchange", "key", true, false, p)
	check(t, err)
	if got := frameHeader + len(f.lastHeader(1)) + frameEnd; got != frameMax {
		t.Errorf("a frame of %d bytes, want %d", got, frameMax)
	}
	if _, err := c.of(&broker.Message{Headers: broker.Table{"h": strings.Repeat("x", room+1)}}, frameMax); !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

// Ensure no other frame is taken for one with wrapped properties.
func TestUnwrapLeavesOthers(t *testing.T) {
	wrapped := func(table ...byte) []byte {
		return method(60, 0, append([]byte("\x00\x00\x00\x00\x00\x00\x00\x04"), table...)...)
	}
	for name, frame := range map[string][]byte{
		"no properties":   wrapped(0, 0),
		"short":           wrapped(0x20),
		"two headers":     wrapped([]byte("\x20\x00\x00\x00\x00\x0b\x00x\x00\x00\x00\x01a\x01bt\x01")...),
		"a text":          wrapped([]byte("\x20\x00\x00\x00\x00\x07\x00S\x00\x00\x00\x01a")...),
		"a name":          wrapped([]byte("\x20\x00\x00\x00\x00\x08\x01nx\x00\x00\x00\x01a")...),
		"more properties": wrapped([]byte("\x30\x00\x00\x00\x00\x07\x00x\x00\x00\x00\x01a\x02")...),
	} {
		was := bytes.Clone(frame)
		if got := unwrap(frame); !bytes.Equal(got, was) {
			t.Errorf("%s: got %q, want %q", name, got, was)
		}
	}
}
