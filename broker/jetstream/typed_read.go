package jetstream

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"weir/broker"
)

// parseTable is the reverse of appendTable. It fails on anything else.
func parseTable(s string) (broker.Table, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return readTable(v)
}

func readTable(v any) (broker.Table, error) {
	members, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%v is no table", v)
	}
	t := make(broker.Table, len(members))
	for escaped, v := range members {
		name, err := unescapeName(escaped)
		if err != nil {
			return nil, err
		}
		if t[name], err = readValue(v); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
	}
	return t, nil
}

// unescapeName is the reverse of escapeName.
func unescapeName(name string) (string, error) { return url.PathUnescape(name) }

func readArray(v any) (broker.Array, error) {
	elements, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%v is no array", v)
	}
	a := make(broker.Array, len(elements))
	for i, e := range elements {
		var err error
		if a[i], err = readValue(e); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func readValue(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string:
		return v, nil
	case map[string]any:
		if len(v) == 1 {
			for kind, member := range v {
				return readMember(kind, member)
			}
		}
	}
	return nil, fmt.Errorf("%v has no type", v)
}

func readMember(kind string, v any) (any, error) {
	switch kind {
	case "table":
		return readTable(v)
	case "array":
		return readArray(v)
	case "decimal":
		return readDecimal(v)
	}
	switch v := v.(type) {
	case json.Number:
		return readScalar(kind, v.String())
	case string:
		return readScalar(kind, v)
	}
	return nil, fmt.Errorf("%v is no %s", v, kind)
}

func readDecimal(v any) (any, error) {
	if parts, ok := v.([]any); ok && len(parts) == 2 {
		scale, err1 := strconv.ParseUint(fmt.Sprint(parts[0]), 10, 8)
		value, err2 := strconv.ParseInt(fmt.Sprint(parts[1]), 10, 32)
		return broker.Decimal{Scale: uint8(scale), Value: int32(value)}, errors.Join(err1, err2)
	}
	return nil, fmt.Errorf("%v is no decimal", v)
}

func readScalar(kind, text string) (any, error) {
	switch kind {
	case "int8":
		n, err := strconv.ParseInt(text, 10, 8)
		return int8(n), err
	case "uint8":
		n, err := strconv.ParseUint(text, 10, 8)
		return uint8(n), err
	case "int16":
		n, err := strconv.ParseInt(text, 10, 16)
		return int16(n), err
	case "uint16":
		n, err := strconv.ParseUint(text, 10, 16)
		return uint16(n), err
	case "int32":
		n, err := strconv.ParseInt(text, 10, 32)
		return int32(n), err
	case "uint32":
		n, err := strconv.ParseUint(text, 10, 32)
		return uint32(n), err
	case "int64":
		return strconv.ParseInt(text, 10, 64)
	case "time":
		n, err := strconv.ParseInt(text, 10, 64)
		return time.Unix(n, 0), err
	case "float32":
		f, err := strconv.ParseFloat(text, 32)
		return float32(f), err
	case "float64":
		return strconv.ParseFloat(text, 64)
	case "bytes":
		return base64.StdEncoding.DecodeString(text)
	case "string":
		b, err := base64.StdEncoding.DecodeString(text)
		return string(b), err
	}
	return nil, fmt.Errorf("unknown type %q", kind)
}
