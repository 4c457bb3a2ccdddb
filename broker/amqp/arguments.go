package amqp

import (
	"bytes"
	"encoding/json"
	"strings"

	"weir/broker"
)

// boundFrom is the argument in which federation says where a binding was copied from: an array of tables.
const boundFrom = "x-bound-from"

// arguments are those of a queue, an exchange or a binding as the management API tells them: in JSON, which has fewer
// types than AMQP. They get the types that RabbitMQ itself gives to JSON (a whole number is a long, a text a long string),
// with two exceptions:
//
//   - "undefined" is a void, which is how RabbitMQ writes one;
//   - hops in x-bound-from is a short: RabbitMQ's federation plugin writes it so, and takes no other.
//
// What cannot be told from others (timestamps, decimals, byte arrays) comes as what it looks like. For the headers
// exchange all whole numbers are of one type.
type arguments broker.Table

// UnmarshalJSON implements json.Unmarshaler. Where there are none some versions answer an empty list.
func (a *arguments) UnmarshalJSON(text []byte) error {
	if string(text) == "[]" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return err
	}
	if len(object) > 0 {
		*a = arguments(typedTable(object))
	}
	return nil
}

func typedTable(object map[string]any) broker.Table {
	t := make(broker.Table, len(object))
	for key, value := range object {
		t[key] = typed(value)
	}
	if from, ok := t[boundFrom].(broker.Array); ok {
		for _, entry := range from {
			shortHops(entry)
		}
	}
	return t
}

func shortHops(entry any) {
	if e, ok := entry.(broker.Table); ok {
		if hops, ok := e["hops"].(int64); ok && hops == int64(int16(hops)) {
			e["hops"] = int16(hops)
		}
	}
}

func typed(value any) any {
	switch v := value.(type) {
	case string:
		if v == "undefined" {
			return nil
		}
		return v
	case json.Number:
		return number(v)
	case map[string]any:
		return typedTable(v)
	case []any:
		a := make(broker.Array, len(v))
		for i := range v {
			a[i] = typed(v[i])
		}
		return a
	default: // bool, nil
		return v
	}
}

func number(n json.Number) any {
	if !strings.ContainsAny(n.String(), ".eE") {
		if whole, err := n.Int64(); err == nil {
			return whole
		}
	}
	f, _ := n.Float64() // out of range is infinite, which toTable refuses
	return f
}
