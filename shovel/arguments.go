package shovel

import (
	"time"

	"weir/broker"
)

// table gives declared arguments the types that travel.
func table(args map[string]any) broker.Table {
	if args == nil {
		return nil
	}
	t := make(broker.Table, len(args))
	for key, v := range args {
		t[key] = value(v)
	}
	return t
}

func value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return table(v)
	case []any:
		a := make(broker.Array, len(v))
		for i := range v {
			a[i] = value(v[i])
		}
		return a
	}
	return v
}

// publishProperties are setters for the properties that a destination declares, under RabbitMQ's names. The
// configuration has checked names and types.
func publishProperties(declared map[string]any) []func(*broker.Properties) {
	var set []func(*broker.Properties)
	for name, v := range declared {
		text, _ := v.(string)
		number, _ := v.(int64)
		at, ok := v.(time.Time)
		if !ok {
			at = time.Unix(number, 0)
		}
		switch name {
		case "content_type":
			set = append(set, func(p *broker.Properties) { p.ContentType = text })
		case "content_encoding":
			set = append(set, func(p *broker.Properties) { p.ContentEncoding = text })
		case "delivery_mode":
			set = append(set, func(p *broker.Properties) { p.DeliveryMode = uint8(number) })
		case "priority":
			set = append(set, func(p *broker.Properties) { p.Priority = uint8(number) })
		case "correlation_id":
			set = append(set, func(p *broker.Properties) { p.CorrelationID = text })
		case "reply_to":
			set = append(set, func(p *broker.Properties) { p.ReplyTo = text })
		case "expiration":
			set = append(set, func(p *broker.Properties) { p.Expiration = text })
		case "message_id":
			set = append(set, func(p *broker.Properties) { p.MessageID = text })
		case "timestamp":
			set = append(set, func(p *broker.Properties) { p.Timestamp = at })
		case "type":
			set = append(set, func(p *broker.Properties) { p.Type = text })
		case "user_id":
			set = append(set, func(p *broker.Properties) { p.UserID = text })
		case "app_id":
			set = append(set, func(p *broker.Properties) { p.AppID = text })
		}
	}
	return set
}
