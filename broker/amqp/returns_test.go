package amqp

import (
	"errors"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// Ensure a return finds the message it is about, and never another one.
func TestMatch(t *testing.T) {
	sent := func(change func(*confirm)) *confirm {
		c := &confirm{exchange: "x", key: "k", message: &broker.Message{
			Body: []byte("body"), Headers: broker.Table{"region": "eu", "n": broker.Array{int32(1)}},
			Properties: broker.Properties{MessageID: "1", Timestamp: time.Unix(1_700_000_000, 0)},
		}}
		if change != nil {
			change(c)
		}
		return c
	}
	back := func(change func(*amqp091.Return)) *amqp091.Return {
		r := &amqp091.Return{
			Exchange: "x", RoutingKey: "k", Body: []byte("body"), MessageId: "1", Timestamp: time.Unix(1_700_000_000, 0),
			Headers: amqp091.Table{"region": "eu", "n": []any{int32(1)}},
		}
		if change != nil {
			change(r)
		}
		return r
	}
	same := sent(nil)
	noHeaders := sent(func(c *confirm) { c.message.Headers = nil })
	us := sent(func(c *confirm) { c.message.Headers = broker.Table{"region": "us"} })
	for name, c := range map[string]struct {
		inFlight []*confirm
		r        *amqp091.Return
		want     int // -1: none
	}{
		"nothing in flight":   {nil, back(nil), -1},
		"the only one":        {[]*confirm{same}, back(nil), 0},
		"the oldest of two":   {[]*confirm{same, sent(nil)}, back(nil), 0},
		"not one twice":       {[]*confirm{sent(func(c *confirm) { c.unroutable = broker.ErrUnroutable }), same}, back(nil), 1},
		"other body":          {[]*confirm{sent(func(c *confirm) { c.message.Body = []byte("bodz") }), same}, back(nil), 1},
		"other key":           {[]*confirm{sent(func(c *confirm) { c.key = "l" }), same}, back(nil), 1},
		"other exchange":      {[]*confirm{sent(func(c *confirm) { c.exchange = "y" }), same}, back(nil), 1},
		"other message-id":    {[]*confirm{sent(func(c *confirm) { c.message.Properties.MessageID = "2" }), same}, back(nil), 1},
		"other headers":       {[]*confirm{us, noHeaders, same}, back(nil), 2},
		"headers by a broker": {[]*confirm{sent(func(c *confirm) { c.key = "l" }), us}, back(func(r *amqp091.Return) { r.Headers["timestamp_in_ms"] = int64(1) }), 1},
		"no headers":          {[]*confirm{same, noHeaders}, back(func(r *amqp091.Return) { r.Headers = nil }), 1},
		"not sent":            {[]*confirm{same}, back(func(r *amqp091.Return) { r.RoutingKey = "z" }), -1},
	} {
		t.Run(name, func(t *testing.T) {
			got := -1
			for i, candidate := range c.inFlight {
				if candidate == match(c.inFlight, c.r) {
					got = i
				}
			}
			if got != c.want {
				t.Errorf("got number %d, want %d", got, c.want)
			}
		})
	}
}

// Ensure a session that ends tells the reason for a single message, and for several that nobody knows.
func TestInFlightEnd(t *testing.T) {
	for n, want := range map[int]error{1: broker.ErrTooLarge, 2: broker.ErrLost} {
		f := inFlight{over: make(chan struct{})}
		var all []*confirm
		for range n {
			c := &confirm{message: new(broker.Message)}
			check(t, f.add(c))
			all = append(all, c)
		}
		f.end(broker.ErrLost, func(*confirm) error { return broker.ErrTooLarge })
		<-f.over
		for _, c := range all {
			if err := c.Err(); !errors.Is(err, want) {
				t.Errorf("%d in flight: got %v, want %v", n, err, want)
			}
		}
		f.end(errors.New("again"), nil)
		if err := f.add(new(confirm)); !errors.Is(err, broker.ErrLost) {
			t.Errorf("add after the end: %v", err)
		}
	}
}
