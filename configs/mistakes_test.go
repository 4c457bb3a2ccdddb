package configs_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/configs"
)

var update = flag.Bool("update", false, "write what the tests find into testdata and weir.schema.json; read the diff")

// environment is what ${env:NAME} finds in testdata.
func environment(name string) (string, bool) {
	value, ok := map[string]string{"SECRET": "hunter2", "EMPTY": ""}[name]
	return value, ok
}

// TestMistakes reads one file a mistake, and compares the whole text that an operator sees. No text shows a secret.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			got := findings(t, file)
			wantFile := strings.TrimSuffix(file, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(wantFile, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(wantFile)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("shows a secret:\n%s", got)
			}
		})
	}
}

// findings are the mistakes and warnings of a file, one a line.
func findings(t *testing.T, file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg, found, err := configs.Parse("weir.yaml", data, environment)
	if (cfg == nil) != (err != nil) {
		t.Fatalf("configuration %v beside error %v", cfg, err)
	}
	if err != nil && !errors.As(err, &found) {
		t.Fatalf("not Problems: %v", err)
	}
	if len(found) == 0 {
		t.Fatal("nothing found")
	}
	return found.Error() + "\n"
}
