package migrate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"weir/configs"
)

// block is a mapping of the file. What is empty or zero is not written.
type block struct{ *yaml.Node }

func newBlock() block {
	return block{&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}}
}

// newLine is a block that is written on one line.
func newLine() block {
	b := newBlock()
	b.Style = yaml.FlowStyle
	return b
}

func (b block) empty() bool { return len(b.Content) == 0 }

// put adds a key, with remarks above it.
func (b block) put(key string, value *yaml.Node, remarks ...string) {
	name := text(key)
	name.HeadComment = comment(remarks)
	b.Content = append(b.Content, name, value)
}

func (b block) text(key, value string) {
	if value != "" {
		b.put(key, text(value))
	}
}

func (b block) flag(key string, value bool) {
	if value {
		b.put(key, scalar("!!bool", "true"))
	}
}

func (b block) whole(key string, value int64) {
	if value != 0 {
		b.put(key, scalar("!!int", strconv.FormatInt(value, 10)))
	}
}

func (b block) duration(key string, value time.Duration) {
	if value != 0 {
		b.put(key, text(configs.Brief(value)))
	}
}

func (b block) block(key string, value block) {
	if !value.empty() {
		b.put(key, value.Node)
	}
}

func (b block) table(key string, value map[string]any) {
	if len(value) > 0 {
		b.put(key, anything(value))
	}
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

func text(value string) *yaml.Node { return scalar("!!str", value) }

// list is a sequence, on one line or on one line for each item.
func list(style yaml.Style, items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: style, Content: items}
}

func texts(values []string) *yaml.Node {
	items := make([]*yaml.Node, len(values))
	for i, v := range values {
		items[i] = text(v)
	}
	return list(yaml.FlowStyle, items...)
}

// anything is a value of JSON, numbers as json.Number, on one line.
func anything(value any) *yaml.Node {
	switch v := value.(type) {
	case map[string]any:
		m := newLine()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m.put(key, anything(v[key]))
		}
		return m.Node
	case []any:
		items := make([]*yaml.Node, len(v))
		for i := range v {
			items[i] = anything(v[i])
		}
		return list(yaml.FlowStyle, items...)
	case string:
		return text(v)
	case bool:
		return scalar("!!bool", strconv.FormatBool(v))
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return scalar("!!int", v.String())
		}
		return scalar("!!float", v.String())
	}
	return scalar("!!null", "null")
}

// dump writes parts of a file, with an empty line between them.
func dump(parts []block) ([]byte, error) {
	var file bytes.Buffer
	for i, part := range parts {
		if i > 0 {
			file.WriteByte('\n')
		}
		dumper, err := yaml.NewDumper(&file, yaml.WithIndent(2), yaml.WithLineWidth(-1), yaml.WithCompactSeqIndent(false))
		if err != nil {
			return nil, fmt.Errorf("write YAML: %w", err)
		}
		if err := dumper.Dump(part.Node); err != nil {
			return nil, fmt.Errorf("write YAML: %w", err)
		}
		if err := dumper.Close(); err != nil {
			return nil, fmt.Errorf("write YAML: %w", err)
		}
	}
	return file.Bytes(), nil
}
