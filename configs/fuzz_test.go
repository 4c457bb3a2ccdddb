package configs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/configs"
)

// FuzzParse: no bytes make the loader panic; what is wrong has a place in the file; what is right can be shown, and
// what is shown is a configuration again, and the same one.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/good/*.yaml", "weir.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, _, err := configs.Parse("weir.yaml", data, environment)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "weir.yaml:") {
					t.Errorf("no place: %q in %q", line, err)
				}
			}
			return
		}
		shown, err := json.Marshal(cfg.Redacted())
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := configs.Parse("weir.yaml", shown, environment)
		if err != nil {
			t.Fatalf("%s\nshows itself as\n%s\nwhich has mistakes:\n%v", data, shown, err)
		}
		if second, _ := json.Marshal(again.Redacted()); string(second) != string(shown) {
			t.Errorf("shows itself as\n%s\nwhich reads as\n%s", shown, second)
		}
	})
}
