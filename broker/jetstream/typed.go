package jetstream

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"weir/broker"
)

// A typed table is a broker.Table as JSON, exact for every type that a header can have. null, booleans and strings are
// themselves; every other value is an object with one member, its type:
//
//	{"int8":1} {"uint8":1} {"int16":1} {"uint16":1} {"int32":1} {"uint32":1} {"int64":"1"}
//	{"float32":0.1} {"float64":0.1} {"float64":"NaN"} {"decimal":[2,-12345]} {"time":1700000000}
//	{"bytes":"<base64>"} {"string":"<base64>"} {"array":[…]} {"table":{…}}
//
// int64 is text because JSON readers elsewhere round it; "string" is for what is not UTF-8. In a name %XX stands for "%"
// and for what is not UTF-8.

// appendTable appends t to b. It fails on a value that broker.Table does not list.
func appendTable(b []byte, t broker.Table) ([]byte, error) {
	b = append(b, '{')
	for i, k := range slices.Sorted(maps.Keys(t)) { // sorted, so that equal tables are equal bytes
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, escapeName(k)), ':')
		var err error
		if b, err = appendValue(b, t[k]); err != nil {
			return nil, fmt.Errorf("header %q: %w", k, err)
		}
	}
	return append(b, '}'), nil
}

func appendValue(b []byte, v any) ([]byte, error) {
	member := func(kind string) []byte { return append(append(append(b, `{"`...), kind...), `":`...) }
	integer := func(kind string, n int64) ([]byte, error) {
		return append(strconv.AppendInt(member(kind), n, 10), '}'), nil
	}
	encoded := func(kind string, data []byte) ([]byte, error) {
		b := append(member(kind), '"')
		return append(base64.StdEncoding.AppendEncode(b, data), `"}`...), nil
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		if !utf8.ValidString(v) {
			return encoded("string", []byte(v))
		}
		return appendText(b, v), nil
	case int8:
		return integer("int8", int64(v))
	case uint8:
		return integer("uint8", int64(v))
	case int16:
		return integer("int16", int64(v))
	case uint16:
		return integer("uint16", int64(v))
	case int32:
		return integer("int32", int64(v))
	case uint32:
		return integer("uint32", int64(v))
	case int64:
		b := strconv.AppendInt(append(member("int64"), '"'), v, 10)
		return append(b, `"}`...), nil
	case float32:
		return append(appendFloat(member("float32"), float64(v), 32), '}'), nil
	case float64:
		return append(appendFloat(member("float64"), v, 64), '}'), nil
	case broker.Decimal:
		return fmt.Appendf(member("decimal"), "[%d,%d]}", v.Scale, v.Value), nil
	case time.Time:
		return integer("time", v.Unix())
	case []byte:
		return encoded("bytes", v)
	case broker.Array:
		b := append(member("array"), '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendValue(b, e); err != nil {
				return nil, err
			}
		}
		return append(b, `]}`...), nil
	case broker.Table:
		b, err := appendTable(member("table"), v)
		return append(b, '}'), err
	}
	return nil, fmt.Errorf("a value of type %T: %w", v, broker.ErrUnsupported)
}

func appendText(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // of a string it does not fail
	return append(b, quoted...)
}

func appendFloat(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.AppendQuote(b, strconv.FormatFloat(f, 'g', -1, bits))
	}
	return strconv.AppendFloat(b, f, 'g', -1, bits)
}

func escapeName(name string) string {
	if utf8.ValidString(name) && !strings.Contains(name, "%") {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		if r == '%' || r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, "%%%02X", name[i])
		} else {
			b.WriteString(name[i : i+size])
		}
		i += size
	}
	return b.String()
}
