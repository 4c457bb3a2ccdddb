package link_test

import (
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

func TestStoredAt(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC)
	second := at.Truncate(time.Second)
	headers := broker.Table{"timestamp_in_ms": at.UnixMilli()}
	crossed := link.WithHop(headers, link.Hop{})
	for name, c := range map[string]struct {
		m    broker.Message
		at   time.Time
		from string
	}{
		"nothing is known":        {broker.Message{}, time.Time{}, ""},
		"the broker tells":        {broker.Message{Origin: broker.Origin{Stored: at.Add(1e9)}, Headers: headers}, at.Add(1e9), link.FromBroker},
		"the broker by a header":  {broker.Message{Origin: broker.Origin{Stored: at}, Headers: headers}, at, link.FromHeader},
		"RabbitMQ's header":       {broker.Message{Headers: headers, Properties: broker.Properties{Timestamp: second}}, at, link.FromHeader},
		"the producer's property": {broker.Message{Properties: broker.Properties{Timestamp: second}}, second, link.FromTimestamp},
		"the last hop":            {broker.Message{Headers: link.WithHop(headers, link.Hop{At: at.Add(time.Hour)})}, at.Add(time.Hour), link.FromHop},
		"a header of the broker before the last hop": {broker.Message{Origin: broker.Origin{Stored: at},
			Headers: link.WithHop(headers, link.Hop{At: at.Add(time.Hour)})}, at.Add(time.Hour), link.FromHop},
		"a header of the broker after it": {broker.Message{Origin: broker.Origin{Stored: at},
			Headers: link.WithHop(headers, link.Hop{At: at.Add(-time.Hour)})}, at, link.FromHeader},
		// What was written before the last hop says nothing of the queue that the message lay in since.
		"a hop without a time": {broker.Message{Headers: crossed, Properties: broker.Properties{Timestamp: second}}, time.Time{}, ""},
		"headers of the wrong type": {broker.Message{Headers: broker.Table{
			"timestamp_in_ms": "yesterday", link.ReceivedFrom: "elsewhere"}}, time.Time{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, from := link.StoredAt(&c.m)
			if !got.Equal(c.at) || from != c.from {
				t.Errorf("got %v from %q, want %v from %q", got, from, c.at, c.from)
			}
		})
	}
}
