package configs

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is one key of a block, as the tags of its struct field describe it (doc.go lists them).
type field struct {
	key      string
	identity identity
	index    []int // for reflect.Value.FieldByIndex; longer than one for a field of an inlined struct
	typ      reflect.Type
	required bool
	limits   limits
	unit     time.Duration // of a bare number; 0 where a unit must be written
	least    time.Duration
	brokers  []string // the broker types that have this key; nil for all
	file     bool
}

// limits are the smallest and largest whole number allowed; nil where there is none.
type limits struct{ min, max *int64 }

// fields lists the keys of a struct in the order of its fields. A fault in a tag is a fault in this package, found by
// the first test, so it panics.
func fields(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		sf := t.Field(i)
		key, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			for _, f := range fields(sf.Type) {
				f.index = append([]int{i}, f.index...)
				all = append(all, f)
			}
		case key != "" && key != "-":
			all = append(all, newField(t, key, i))
		}
	}
	return all
}

func newField(t reflect.Type, key string, i int) field {
	sf := t.Field(i)
	f := field{
		key: key, identity: identity{t, key}, index: []int{i}, typ: sf.Type, file: sf.Tag.Get("file") != "",
	}
	for option := range strings.SplitSeq(sf.Tag.Get("jsonschema"), ",") {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "required":
			f.required = true
		case "minimum":
			f.limits.min = new(number(value))
		case "maximum":
			f.limits.max = new(number(value))
		}
	}
	if unit := sf.Tag.Get("unit"); unit != "" {
		f.unit = interval("1" + unit)
	}
	if least := sf.Tag.Get("least"); least != "" {
		f.least = interval(least)
	}
	if on := sf.Tag.Get("on"); on != "" {
		f.brokers = strings.Split(on, ",")
	}
	return f
}

// on reports whether brokers of a type have the key.
func (f field) on(t BrokerType) bool {
	return f.brokers == nil || slices.Contains(f.brokers, string(t))
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func interval(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return d
}

// keys are the names of fields.
func keys(fs []field) []string {
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = f.key
	}
	return names
}
