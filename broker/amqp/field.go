package amqp

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"weir/broker"
)

// What a table may hold. amqp091-go closes the whole connection, or the receiver's, over one that breaks a limit, so they
// are checked before anything is written.
const (
	mostNested   = 32      // levels of arrays and tables
	mostElements = 8192    // entries of one array or table
	mostShort    = 255     // bytes of a key, and of every property that is text (a short string)
	mostLong     = 1 << 31 // bytes of a long string, exclusive
)

// appendTable encodes a table as RabbitMQ does (its errata to AMQP 0-9-1, section 3). An error says what cannot be
// encoded.
func appendTable(b []byte, t broker.Table) ([]byte, error) { return appendTableAt(b, t, 0) }

func appendTableAt(b []byte, t broker.Table, depth int) ([]byte, error) {
	if err := fits(len(t), depth); err != nil {
		return nil, err
	}
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	for key, value := range t {
		if len(key) > mostShort {
			return nil, fmt.Errorf("header %.20q...: a name of %d bytes, at most %d are possible", key, len(key), mostShort)
		}
		b = append(append(b, byte(len(key))), key...)
		var err error
		if b, err = appendField(b, value, depth); err != nil {
			return nil, fmt.Errorf("header %q: %w", key, err)
		}
	}
	return sizedFrom(b, start), nil
}

func appendArray(b []byte, a broker.Array, depth int) ([]byte, error) {
	if err := fits(len(a), depth); err != nil {
		return nil, err
	}
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	for i, value := range a {
		var err error
		if b, err = appendField(b, value, depth); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return sizedFrom(b, start), nil
}

// sizedFrom writes the size of what follows into the four octets at start.
func sizedFrom(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// appendField encodes a value behind the octet of its type.
func appendField(b []byte, value any, depth int) ([]byte, error) {
	order := binary.BigEndian
	switch v := value.(type) {
	case nil:
		return append(b, 'V'), nil
	case bool:
		if v {
			return append(b, 't', 1), nil
		}
		return append(b, 't', 0), nil
	case int8:
		return append(b, 'b', byte(v)), nil
	case uint8:
		return append(b, 'B', v), nil
	case int16:
		return order.AppendUint16(append(b, 's'), uint16(v)), nil
	case uint16:
		return order.AppendUint16(append(b, 'u'), v), nil
	case int32:
		return order.AppendUint32(append(b, 'I'), uint32(v)), nil
	case uint32:
		return order.AppendUint32(append(b, 'i'), v), nil
	case int64:
		return order.AppendUint64(append(b, 'l'), uint64(v)), nil
	case float32:
		return order.AppendUint32(append(b, 'f'), math.Float32bits(v)), finite(float64(v))
	case float64:
		return order.AppendUint64(append(b, 'd'), math.Float64bits(v)), finite(v)
	case broker.Decimal:
		return order.AppendUint32(append(b, 'D', v.Scale), uint32(v.Value)), nil
	case string:
		return append(order.AppendUint32(append(b, 'S'), uint32(len(v))), v...), long(len(v))
	case []byte:
		return append(order.AppendUint32(append(b, 'x'), uint32(len(v))), v...), long(len(v))
	case time.Time:
		return order.AppendUint64(append(b, 'T'), uint64(v.Unix())), nil
	case broker.Array:
		return appendArray(append(b, 'A'), v, depth+1)
	case broker.Table:
		return appendTableAt(append(b, 'F'), v, depth+1)
	default:
		return nil, fmt.Errorf("a %T is not among the types of AMQP", value)
	}
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
