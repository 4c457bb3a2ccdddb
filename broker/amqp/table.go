package amqp

import (
	"fmt"
	"maps"
	"math"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// amqp091-go has types of its own for what nests. It closes the whole connection, or the receiver's, over a table that
// breaks one of these limits, so they are checked before anything is written.
const (
	mostNested   = 32      // levels of arrays and tables
	mostElements = 8192    // entries of one array or table
	mostShort    = 255     // bytes of a key, and of every property that is text (a short string)
	mostLong     = 1 << 31 // bytes of a long string, exclusive
)

// fromTable turns what amqp091-go has read into a broker.Table. It takes t over: without nested values, which is the
// rule, nothing is copied.
func fromTable(t amqp091.Table) broker.Table {
	for key, value := range t {
		if nested(value) {
			t[key] = fromValue(value)
		}
	}
	return broker.Table(t)
}

// nested tells whether amqp091-go has a type of its own for a value.
func nested(value any) bool {
	switch value.(type) {
	case amqp091.Table, []any, amqp091.Decimal:
		return true
	}
	return false
}

func fromValue(value any) any {
	switch v := value.(type) {
	case amqp091.Table:
		return fromTable(v)
	case []any:
		for i := range v {
			v[i] = fromValue(v[i])
		}
		return broker.Array(v)
	case amqp091.Decimal:
		return broker.Decimal(v)
	default:
		return v
	}
}

// toTable is the reverse. It does not change t; without nested values it does not copy it either. size is what it takes
// on the wire, its own length included. An error says what cannot be written.
func toTable(t broker.Table) (out amqp091.Table, size int, err error) { return toTableAt(t, 0) }

func toTableAt(t broker.Table, depth int) (out amqp091.Table, size int, err error) {
	if err := fits(len(t), depth); err != nil {
		return nil, 0, err
	}
	out, size = amqp091.Table(t), 4
	copied := false
	for key, value := range t {
		if len(key) > mostShort {
			return nil, 0, fmt.Errorf("header %.20q...: a name of %d bytes, at most %d are possible", key, len(key), mostShort)
		}
		converted, n, err := toValue(value, depth)
		if err != nil {
			return nil, 0, fmt.Errorf("header %q: %w", key, err)
		}
		size += 1 + len(key) + n
		if converted == nil { // as it is
			continue
		}
		if !copied {
			out, copied = make(amqp091.Table, len(t)), true
			maps.Copy(out, t)
		}
		out[key] = converted
	}
	return out, size, nil
}

// toValue returns the value in amqp091-go's type where that is another one, else nil; and its size with the type octet.
func toValue(value any, depth int) (converted any, size int, err error) {
	switch v := value.(type) {
	case nil:
		return nil, 1, nil
	case bool, int8, uint8:
		return nil, 2, nil
	case int16, uint16:
		return nil, 3, nil
	case int32, uint32:
		return nil, 5, nil
	case int64, time.Time:
		return nil, 9, nil
	case float32:
		return nil, 5, finite(float64(v))
	case float64:
		return nil, 9, finite(v)
	case broker.Decimal:
		return amqp091.Decimal(v), 6, nil
	case string:
		return nil, 5 + len(v), long(len(v))
	case []byte:
		return nil, 5 + len(v), long(len(v))
	case broker.Table:
		t, n, err := toTableAt(v, depth+1)
		return t, 1 + n, err
	case broker.Array:
		return toArray(v, depth+1)
	default:
		return nil, 0, fmt.Errorf("a %T is not among the types of AMQP", value)
	}
}

func toArray(a broker.Array, depth int) (any, int, error) {
	if err := fits(len(a), depth); err != nil {
		return nil, 0, err
	}
	out, size := make([]any, len(a)), 5
	for i, value := range a {
		converted, n, err := toValue(value, depth)
		if err != nil {
			return nil, 0, fmt.Errorf("element %d: %w", i, err)
		}
		if out[i] = converted; converted == nil {
			out[i] = value
		}
		size += n
	}
	return out, size, nil
}

func fits(elements, depth int) error {
	if depth > mostNested {
		return fmt.Errorf("nested more than %d deep", mostNested)
	}
	if elements > mostElements {
		return fmt.Errorf("%d entries, at most %d are possible", elements, mostElements)
	}
	return nil
}

// finite refuses what Erlang has no floats for: RabbitMQ closes the connection over it.
func finite(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%v is a number that RabbitMQ cannot read", f)
	}
	return nil
}

func long(n int) error {
	if n >= mostLong {
		return fmt.Errorf("%d bytes are too many", n)
	}
	return nil
}
