package configs

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// properties are what publish-properties can set, in RabbitMQ's names, and how each value is checked.
var properties = map[string]func(any) string{
	"app_id":           isString,
	"content_encoding": isString,
	"content_type":     isString,
	"correlation_id":   isString,
	"delivery_mode":    isWhole(1, 2),
	"expiration":       isString,
	"message_id":       isString,
	"priority":         isWhole(0, 255),
	"reply_to":         isString,
	"timestamp":        isTime,
	"type":             isString,
	"user_id":          isString,
}

func (c *checker) publishProperties(at path, given map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		key := at.key(name)
		if name == "cluster_id" { // AMQP 0-9-1, class basic: deprecated, must be empty
			c.mistake(key, "AMQP 0-9-1 reserves it, and it would not be sent; leave it out")
		} else if check, ok := properties[name]; !ok {
			c.mistake(key, "no such property%s", suggest(name, slices.Sorted(maps.Keys(properties))))
		} else if fault := check(given[name]); fault != "" {
			c.mistake(key, "%s", fault)
		}
	}
}

func isString(v any) string {
	if _, ok := v.(string); !ok {
		return "want text"
	}
	return ""
}

func isWhole(lowest, highest int64) func(any) string {
	return func(v any) string {
		if n, ok := v.(int64); !ok || n < lowest || n > highest {
			return fmt.Sprintf("want a whole number from %d to %d", lowest, highest)
		}
		return ""
	}
}

func isTime(v any) string {
	switch v.(type) {
	case int64, time.Time:
		return ""
	}
	return "want seconds since 1970 or a time such as 2026-01-02T15:04:05Z"
}
