package configs

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// A copy of weir.yaml is where most users start: it must load, and its warnings must be the two it is meant to show.
func TestExampleLoads(t *testing.T) {
	noEnvironment := func(string) (string, bool) { return "", false }
	_, warnings, err := Parse("weir.yaml", example, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, w := range warnings {
		paths = append(paths, w.Path)
	}
	want := []string{"upstreams.ap-catalog.expires", "upstreams.ap-catalog.message-ttl"}
	if !reflect.DeepEqual(paths, want) {
		t.Errorf("warnings %v, want %v", paths, want)
	}
}

// The first configuration that anybody reads has nothing to be warned of.
func TestReadmeIsFine(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(readme), "```yaml\n")
	block, _, closed := strings.Cut(block, "```\n")
	if !found || !closed {
		t.Fatal("no configuration in README.md")
	}
	_, warnings, err := Parse("README.md", []byte(block), func(string) (string, bool) { return "", false })
	if err != nil || len(warnings) > 0 {
		t.Errorf("%v, %v", err, warnings)
	}
}

// Every setting is in weir.yaml, with a comment, which is its description in editors.
func TestExampleIsComplete(t *testing.T) {
	described, err := descriptions()
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range blocks(reflect.TypeFor[Config]()) {
		for _, f := range fields(block) {
			if described[f.identity] == "" {
				t.Errorf("%s of %s is not in weir.yaml, or has no comment there", f.key, f.identity.owner.Name())
			}
		}
	}
}
