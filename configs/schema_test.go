package configs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"weir/configs"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := configs.Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("weir.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("weir.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func document(t *testing.T, file string) any {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := yaml.Load(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// The committed schema is what the structs say.
func TestSchemaFileIsUpToDate(t *testing.T) {
	got, err := configs.Schema()
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("weir.schema.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("weir.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("weir.schema.json is out of date; run the tests with -update")
	}
}

func TestSchemaTakesWhatLoads(t *testing.T) {
	compiled := schema(t)
	good, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(good, "weir.yaml") {
		if err := compiled.Validate(document(t, file)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// What a single value gets wrong, an editor underlines while it is typed.
func TestSchemaRefusesMistakes(t *testing.T) {
	compiled := schema(t)
	for name := range strings.FieldsSeq(`
		unknown-key wrong-type duration-without-unit duration-unreadable number-out-of-bounds unknown-word
		missing-keys no-value rate-limit size version-of-the-future
	`) {
		if compiled.Validate(document(t, "testdata/"+name+".yaml")) == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}
