package broker_test

import (
	"testing"

	"weir/broker"
)

func TestAddressReadsAsInTheConfiguration(t *testing.T) {
	for want, at := range map[string]broker.Address{
		"original address":                         {},
		"queue=orders":                             {Queue: "orders"},
		"exchange=orders routing-key=order.#":      {Exchange: "orders", RoutingKey: "order.#"},
		"routing-key=order.created":                {RoutingKey: "order.created"},
		"stream=ORDERS consumer=weir subject=a.>":  {Stream: "ORDERS", Consumer: "weir", Subject: "a.>"},
		"queue=all exchange=six consumer=of them ": {Queue: "all", Exchange: "six", Consumer: "of them "},
	} {
		if got := at.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
