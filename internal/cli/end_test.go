package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/configs"
)

func brokersNamed(names ...string) *configs.Config {
	cfg := &configs.Config{Brokers: map[string]configs.Broker{}}
	for _, n := range names {
		cfg.Brokers[n] = configs.Broker{Name: n}
	}
	return cfg
}

func TestEnds(t *testing.T) {
	cfg := brokersNamed("eu", "eu:west", "ap")
	key := "order.created"
	for text, want := range map[string]any{
		"from eu:orders":                             configs.Source{Broker: "eu", Queue: "orders"},
		"from eu:west:orders":                        configs.Source{Broker: "eu:west", Queue: "orders"},
		"from eu:a=b,c":                              configs.Source{Broker: "eu", Queue: "a=b,c"},
		"from eu:queue=stream=x":                     configs.Source{Broker: "eu", Queue: "stream=x"},
		"from ap:stream=ORDERS,consumer=weir":        configs.Source{Broker: "ap", Stream: "ORDERS", Consumer: "weir"},
		"to eu:orders":                               configs.Destination{Broker: "eu", Queue: "orders"},
		"to ap:subject=orders.eu":                    configs.Destination{Broker: "ap", Subject: "orders.eu"},
		"to eu:exchange=x,routing-key=order.created": configs.Destination{Broker: "eu", Exchange: "x", RoutingKey: &key},

		"from orders":            "want BROKER:QUEUE with one of the configured brokers (ap, eu, eu:west)",
		"from eu:":               "name a queue, or stream and consumer",
		"from eu:exchange=x":     "exchange does not go with this end; it takes consumer, queue, stream, subject",
		"to eu:":                 "name a queue, an exchange or a subject",
		"to eu:routing-key=only": "name a queue, an exchange or a subject",
		"to eu:stream=x":         "stream does not go with this end; it takes exchange, queue, routing-key, subject",
	} {
		var got any
		var err error
		if end, ok := strings.CutPrefix(text, "from "); ok {
			got, err = sourceEnd(cfg, end)
		} else {
			end, _ := strings.CutPrefix(text, "to ")
			got, err = destinationEnd(cfg, end)
		}
		if err != nil {
			got = err.Error()
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}
