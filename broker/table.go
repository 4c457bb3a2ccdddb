package broker

import "maps"

// Table is a set of typed headers. Values are what AMQP 0-9-1 can carry, each with a Go type of its own, so that a
// message keeps its types on every way: nil, bool, int8, uint8, int16, uint16, int32, uint32, int64, float32, float64,
// Decimal, string, []byte, time.Time (whole seconds), Array and Table.
type Table map[string]any

// Array is a list of such values.
type Array []any

// Decimal is Value / 10^Scale.
type Decimal struct {
	Scale uint8
	Value int32
}

// With returns a copy of t in which key has value. Nested values are shared.
func (t Table) With(key string, value any) Table {
	c := make(Table, len(t)+1)
	maps.Copy(c, t)
	c[key] = value
	return c
}
