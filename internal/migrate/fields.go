package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fields are the keys of a parameter that nobody has taken yet. What has the wrong type counts as absent and is told; values
// are not quoted, because any may be a uri with a password.
type fields struct {
	values map[string]any
	say    func(format string, args ...any)
}

// newFields reads the object of a parameter. A key that is null is as good as none. Whoever takes a key sets say first.
func newFields(data []byte) (fields, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var values map[string]any
	if err := decoder.Decode(&values); err != nil || values == nil {
		return fields{}, errors.New("its value is not an object")
	}
	maps.DeleteFunc(values, func(_ string, v any) bool { return v == nil })
	return fields{values: values}, nil
}

// take removes all the keys and returns the value of the first that is there, and that key: a new name wins over an old one.
func (f fields) take(keys ...string) (value any, key string) {
	for _, k := range keys {
		v, ok := f.values[k]
		if ok && key == "" {
			value, key = v, k
		}
		delete(f.values, k)
	}
	return value, key
}

// text returns the text of a key, and whether there is one.
func (f fields) text(key string) (string, bool) {
	value, found := f.take(key)
	text, ok := value.(string)
	if found != "" && !ok {
		f.say("%s is left out: it is not text", key)
	}
	return text, ok
}

// word is text that must be one of some words.
func (f fields) word(key string, words ...string) string {
	text, ok := f.text(key)
	if ok && !slices.Contains(words, text) {
		f.say("%s is left out: weir knows %s", key, strings.Join(words, ", "))
		return ""
	}
	return text
}

// flag returns true where the first of the keys that is there says so.
func (f fields) flag(keys ...string) bool {
	value, found := f.take(keys...)
	set, ok := value.(bool)
	if found != "" && !ok {
		f.say("%s is left out: it is neither true nor false", found)
	}
	return set
}

// number returns the number of a key, and the key.
func (f fields) number(keys ...string) (float64, string) {
	value, key := f.take(keys...)
	if key == "" {
		return 0, ""
	}
	n, ok := value.(json.Number)
	x, err := n.Float64()
	if !ok || err != nil || math.IsInf(x, 0) {
		f.say("%s is left out: it is not a number", key)
		return 0, ""
	}
	return x, key
}

// whole returns a whole number between the two limits, or 0 for none; RabbitMQ takes 5.0 for one, too.
func (f fields) whole(least, most int64, keys ...string) int64 {
	x, key := f.number(keys...)
	switch {
	case key == "":
	case x != math.Trunc(x) || x < float64(least) || x > float64(most):
		f.say("%s: %s is left out: weir wants a whole number of %s", key, plain(x), limits(least, most))
	default:
		return int64(x)
	}
	return 0
}

func limits(least, most int64) string {
	if most == math.MaxInt32 {
		return "at least " + strconv.FormatInt(least, 10)
	}
	return strconv.FormatInt(least, 10) + " to " + strconv.FormatInt(most, 10)
}

// duration returns a time that is given in a unit, or 0 for none.
func (f fields) duration(unit time.Duration, key string) time.Duration {
	x, found := f.number(key)
	switch length := x * float64(unit); {
	case found == "":
	case length < float64(time.Millisecond) || length >= math.MaxInt64:
		f.say("%s: %s is left out: weir has no such time", key, plain(x))
	default:
		return time.Duration(length).Round(time.Millisecond)
	}
	return 0
}

func plain(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// table returns an object, also where an empty one is written as a list, as Erlang does.
func (f fields) table(keys ...string) map[string]any {
	value, key := f.take(keys...)
	list, isList := value.([]any)
	table, ok := value.(map[string]any)
	if key != "" && !ok && !(isList && len(list) == 0) {
		f.say("%s is left out: it is not an object", key)
	}
	return table
}

// uris returns one uri, or several of one cluster. Whatever is not text becomes a uri that cannot be read.
func (f fields) uris(key string) []string {
	switch value, _ := f.take(key); v := value.(type) {
	case string:
		return []string{v}
	case []any:
		all := make([]string, len(v))
		for i := range v {
			all[i], _ = v[i].(string)
		}
		return all
	}
	return nil
}

// rest tells what has not been taken, with what is known of it.
func (f fields) rest(known map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(f.values)) {
		if why, ok := known[key]; ok {
			if why != "" {
				f.say("%s is left out: %s", key, why)
			}
			continue
		}
		f.say("%s is left out: weir does not know it", key)
	}
}
