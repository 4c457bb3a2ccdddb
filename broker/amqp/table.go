package amqp

import (
	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// fromTable turns what amqp091-go has read into a broker.Table: it has types of its own for what nests. It takes t over:
// without nested values, which is the rule, nothing is copied.
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

// toTable is the reverse, for arguments; the headers of a message are encoded without amqp091-go (see content.go). An error
// says what the library could not write.
func toTable(t broker.Table) (amqp091.Table, error) {
	if _, err := appendTable(nil, t); err != nil {
		return nil, err
	}
	return convertTable(t), nil
}

func convertTable(t broker.Table) amqp091.Table {
	out := make(amqp091.Table, len(t))
	for key, value := range t {
		out[key] = toValue(value)
	}
	return out
}

func toValue(value any) any {
	switch v := value.(type) {
	case broker.Table:
		return convertTable(v)
	case broker.Array:
		out := make([]any, len(v))
		for i := range v {
			out[i] = toValue(v[i])
		}
		return out
	case broker.Decimal:
		return amqp091.Decimal(v)
	default:
		return v
	}
}
