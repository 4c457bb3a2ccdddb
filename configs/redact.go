package configs

import (
	"reflect"
	"time"
)

// Redacted is the configuration as it is in force, with defaults, for people and APIs to look at: keys as in the file,
// durations and sizes in the file's notation, and a mask for every secret. Settings that are empty, and are so by
// default, are left out. What it shows can be loaded again, but for the secrets.
func (c *Config) Redacted() map[string]any {
	return shownBlock(reflect.ValueOf(*c))
}

func shownBlock(v reflect.Value) map[string]any {
	usual := reflect.New(v.Type()).Elem()
	fill(usual)
	broker, isBroker := reflect.TypeAssert[Broker](v)
	m := map[string]any{}
	for _, f := range fields(v.Type()) {
		value := v.FieldByIndex(f.index)
		empty := value.IsZero() && value.Kind() != reflect.Bool && !f.required && usual.FieldByIndex(f.index).IsZero()
		foreign := isBroker && !f.on(broker.Type)
		if !empty && !foreign {
			m[f.key] = shown(value)
		}
	}
	return m
}

func shown(v reflect.Value) any {
	target := v
	if !v.CanAddr() { // textual has pointer receivers
		target = reflect.New(v.Type()).Elem()
		target.Set(v)
	}
	switch x := target.Addr().Interface().(type) {
	case *time.Duration:
		return Brief(*x)
	case *Secret:
		return x.String()
	case textual:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Pointer:
		return shown(v.Elem())
	case reflect.Struct:
		return shownBlock(v)
	case reflect.Slice:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = shown(v.Index(i))
		}
		return items
	case reflect.Map:
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = shown(it.Value())
		}
		return m
	default:
		return v.Interface()
	}
}
