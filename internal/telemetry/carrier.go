package telemetry

import (
	"go.opentelemetry.io/otel/propagation"

	"weir/broker"
)

// w3c reads and writes traceparent.
var w3c propagation.TraceContext

// carrier lets OpenTelemetry read the trace context of a message and write a new traceparent. Nothing else is ever
// written: tracestate and baggage stay byte for byte. propagation.HeaderCarrier would write "Traceparent", which NATS
// clients do not find.
type carrier struct {
	headers broker.Table
	parent  string // what was set
}

// Get implements propagation.TextMapCarrier. AMQP clients send text as []byte too; any other type is none.
func (c *carrier) Get(key string) string {
	v := c.headers[key]
	if key == traceparent {
		_, v = contextOf(c.headers)
	}
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

// Set implements propagation.TextMapCarrier.
func (c *carrier) Set(key, value string) {
	if key == traceparent {
		c.parent = value
	}
}

// Keys implements propagation.TextMapCarrier.
func (c *carrier) Keys() []string {
	keys := make([]string, 0, len(c.headers))
	for key := range c.headers {
		keys = append(keys, key)
	}
	return keys
}

var _ propagation.TextMapCarrier = (*carrier)(nil)
