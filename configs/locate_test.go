package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"

	"weir/configs"
)

func locate(t *testing.T, args ...string) (string, error) {
	t.Helper()
	flags := pflag.NewFlagSet("weir", pflag.ContinueOnError)
	configs.AddFileFlag(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return configs.Locate(flags)
}

// The nearest weir.yaml counts, and one that is named outright before all of them. Its contents play no part.
func TestLocate(t *testing.T) {
	here, home := t.TempDir(), t.TempDir()
	t.Chdir(here)
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("WEIR_CONFIG", "")
	inHome := filepath.Join(home, "weir", "weir.yaml")

	if _, err := locate(t); !errors.Is(err, configs.ErrNoFile) {
		t.Errorf("without any file: %v", err)
	}
	write(t, inHome, "not: [yaml")
	expect(t, inHome)
	write(t, filepath.Join(here, "weir.yaml"), "a: 1")
	write(t, filepath.Join(here, "weir.yaml.json"), "{}")
	expect(t, "weir.yaml")
	t.Setenv("WEIR_CONFIG", "elsewhere.yaml")
	expect(t, "elsewhere.yaml")
	expect(t, "named.yaml", "-c", "named.yaml")
}

func expect(t *testing.T, want string, args ...string) {
	t.Helper()
	if got, err := locate(t, args...); got != want || err != nil {
		t.Errorf("found %q, %v; want %q", got, err, want)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoadOfNoFile(t *testing.T) {
	_, _, err := configs.Load("nowhere.yaml", os.LookupEnv)
	if !errors.Is(err, os.ErrNotExist) || err.Error() != "read configuration nowhere.yaml: no such file or directory" {
		t.Errorf("got %v", err)
	}
}
