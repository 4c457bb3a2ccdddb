package configs

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"
)

// example is weir.yaml with every option. Its comments are the descriptions in the JSON schema.
//
//go:embed weir.yaml
var example []byte

// Schema returns the JSON schema (draft 2020-12) of weir.yaml, for editors. It is made from the structs that the loader
// fills, so that both know the same keys, words, limits and defaults. What the loader checks across keys is not in it.
func Schema() ([]byte, error) {
	described, err := descriptions()
	if err != nil {
		return nil, err
	}
	reflector := jsonschema.Reflector{
		FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, Anonymous: true, Mapper: notation,
	}
	schema := reflector.Reflect(&Config{})
	schema.Title = "weir.yaml"
	schema.Definitions["reference"] = &jsonschema.Schema{
		Type: "string", Pattern: `\$\{env:`, Description: "${env:NAME} or ${env:NAME:-default}",
	}
	for _, t := range blocks(reflect.TypeFor[Config]()) {
		if err := complete(schema.Definitions, t, described); err != nil {
			return nil, err
		}
	}
	return json.MarshalIndent(schema, "", "  ")
}

// notation describes values that are not what their Go type says.
func notation(t reflect.Type) *jsonschema.Schema {
	switch t {
	case durationType:
		return pattern(`([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+`)
	case reflect.TypeFor[Secret]():
		return &jsonschema.Schema{Type: "string"}
	case reflect.TypeFor[Size]():
		return either(pattern(`[0-9]+([KMG]iB|[kMG]?B)?`), &jsonschema.Schema{Type: "integer", Minimum: "1"})
	case reflect.TypeFor[Rate]():
		return pattern(`[0-9]+/[smh]`)
	case reflect.TypeFor[DeleteAfter]():
		return either(pattern("never|queue-length"), &jsonschema.Schema{Type: "integer", Minimum: "1"})
	}
	if w, ok := reflect.TypeAssert[worded](reflect.Zero(t)); ok {
		s := &jsonschema.Schema{Type: "string"}
		for _, word := range w.words() {
			s.Enum = append(s.Enum, word)
		}
		return s
	}
	return nil
}

// pattern is text of one form.
func pattern(p string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: "^(" + p + ")$"}
}

// either allows several forms of a value.
func either(choices ...*jsonschema.Schema) *jsonschema.Schema {
	var flat []*jsonschema.Schema
	for _, c := range choices {
		if c.AnyOf == nil {
			flat = append(flat, c)
		}
		flat = append(flat, c.AnyOf...)
	}
	return &jsonschema.Schema{AnyOf: flat}
}

// complete adds to the schema of a block what jsonschema does not know: units, defaults, descriptions and shorthands.
func complete(definitions jsonschema.Definitions, t reflect.Type, described map[identity]string) error {
	block, ok := definitions[t.Name()]
	if !ok {
		return fmt.Errorf("schema: no definition of %s", t.Name())
	}
	zero := reflect.New(t).Elem()
	fill(zero)
	for _, f := range fields(t) {
		property, ok := block.Properties.Get(f.key)
		if !ok {
			return fmt.Errorf("schema: %s has no property %s", t.Name(), f.key)
		}
		if f.unit != 0 {
			property = either(property, &jsonschema.Schema{Type: "number", Minimum: "0"})
		}
		if isNotation(property) {
			property = either(property, &jsonschema.Schema{Ref: "#/$defs/reference"})
		}
		property.Description = described[f.identity]
		if value := zero.FieldByIndex(f.index); !value.IsZero() && value.Kind() != reflect.Struct {
			property.Default = shown(value)
		}
		block.Properties.Set(f.key, property)
	}
	if s, ok := reflect.TypeAssert[shorthand](reflect.New(t)); ok {
		short, _ := block.Properties.Get(s.shorthand()[0])
		definitions[t.Name()] = either(&jsonschema.Schema{Type: short.Type, Pattern: short.Pattern, AnyOf: short.AnyOf}, block)
	}
	return nil
}

// isNotation reports whether a value is anything but text or a block, so that a reference to the environment, which is
// text, has to be allowed beside it.
func isNotation(s *jsonschema.Schema) bool {
	switch s.Type {
	case "integer", "number", "boolean":
		return true
	}
	return s.AnyOf != nil || s.Enum != nil || s.Pattern != ""
}
