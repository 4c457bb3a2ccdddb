package configs

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scalar reads a word, text, a number, or true or false.
func (d *decoder) scalar(n *node, v reflect.Value, at path, f field) {
	switch v.Kind() {
	case reflect.String:
		d.string(n, v, at, f)
	case reflect.Bool:
		d.bool(n, v, at)
	case reflect.Float64:
		if x, ok := d.float(n, at); ok && d.within(x, f.limits, n, at) {
			v.SetFloat(x)
		}
	default:
		if i, ok := d.integer(n, at); ok && d.within(float64(i), f.limits, n, at) {
			v.SetInt(i)
		}
	}
}

func (d *decoder) string(n *node, v reflect.Value, at path, f field) {
	if !d.isText(n, at) {
		return
	}
	if w, ok := reflect.TypeAssert[worded](v); ok && !slices.Contains(w.words(), n.text) {
		d.unreadable(n.at, at, "unknown word %q%s", n.written, suggest(n.text, w.words()))
		return
	}
	text := n.text
	if f.file {
		text = d.resolve(text)
	}
	if strings.HasSuffix(f.key, "-file") && text != "" {
		d.files[at] = text
	}
	v.SetString(text)
}

func (d *decoder) bool(n *node, v reflect.Value, at path) {
	b, err := strconv.ParseBool(n.text)
	if n.kind != scalar || err != nil || (n.tag != "!!bool" && !n.untyped) {
		d.unreadable(n.at, at, "want true or false, found %s", found(n))
		return
	}
	v.SetBool(b)
}

func (d *decoder) integer(n *node, at path) (int64, bool) {
	i, err := strconv.ParseInt(n.text, 0, 64)
	if n.kind != scalar || err != nil || (n.tag != "!!int" && !n.untyped) {
		d.unreadable(n.at, at, "want a whole number, found %s", found(n))
		return 0, false
	}
	return i, true
}

// within checks a number against the limits of its key.
func (d *decoder) within(x float64, l limits, n *node, at path) bool {
	switch {
	case l.min != nil && x < float64(*l.min):
		d.unreadable(n.at, at, "must be at least %d", *l.min)
	case l.max != nil && x > float64(*l.max):
		d.unreadable(n.at, at, "must be at most %d", *l.max)
	default:
		return true
	}
	return false
}

func (d *decoder) float(n *node, at path) (float64, bool) {
	x, err := strconv.ParseFloat(n.text, 64)
	if n.kind != scalar || err != nil || !isNumber(n) || math.IsNaN(x) || math.IsInf(x, 0) {
		d.unreadable(n.at, at, "want a number, found %s", found(n))
		return 0, false
	}
	return x, true
}

func isNumber(n *node) bool { return n.tag == "!!int" || n.tag == "!!float" || n.untyped }

// duration reads 5s, or a bare number where the key has a unit in RabbitMQ.
func (d *decoder) duration(n *node, v reflect.Value, at path, f field) {
	if !d.is(scalar, n, at) {
		return
	}
	length, err := time.ParseDuration(n.text)
	if count, notNumber := strconv.ParseFloat(n.text, 64); notNumber == nil && isNumber(n) {
		if f.unit == 0 {
			d.unreadable(n.at, at, "%s has no unit; write %ss or %sms", n.written, n.written, n.written)
			return
		}
		product := count * float64(f.unit)
		if length, err = time.Duration(product), nil; !(math.Abs(product) < math.MaxInt64) {
			length = math.MaxInt64
		}
	}
	switch {
	case err != nil:
		d.unreadable(n.at, at, "want a duration such as 5s, 500ms or 1h30m, found %s", found(n))
	case length < f.least, length < 0:
		d.unreadable(n.at, at, "must be at least %s", Brief(f.least))
	default:
		v.SetInt(int64(length))
	}
}

// text reads a value that has a notation of its own.
func (d *decoder) text(n *node, v textual, at path) {
	if !d.is(scalar, n, at) {
		return
	}
	if err := v.setText(n.text); err != nil {
		d.unreadable(n.at, at, "%v, found %s", err, found(n))
	}
}

// loose reads a value that weir hands on to a broker: int64, float64, string, bool, time.Time, []any, map[string]any.
func (d *decoder) loose(n *node, at path) any {
	switch n.kind {
	case mapping:
		m := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			m[e.key] = d.loose(e.value, at.key(e.key))
		}
		return m
	case list:
		items := make([]any, len(n.items))
		for i, c := range n.items {
			items[i] = d.loose(c, at.index(i))
		}
		return items
	}
	switch n.tag {
	case "!!null":
		return nil
	case "!!bool":
		return n.text == "true" || n.text == "True" || n.text == "TRUE"
	case "!!int":
		i, _ := d.integer(n, at)
		return i
	case "!!float":
		x, _ := d.float(n, at)
		return x
	case "!!timestamp":
		t, err := time.Parse(time.RFC3339, n.text)
		if err != nil {
			d.unreadable(n.at, at, "want a time such as 2026-01-02T15:04:05Z, found %s", found(n))
		}
		return t
	default:
		return n.text
	}
}

// found shows a value in a message, as it was written: what an environment variable held stays out.
func found(n *node) string {
	if n.kind != scalar {
		return n.kind.String()
	}
	return strconv.Quote(n.written)
}
