package configs_test

import (
	"os"
	"path/filepath"
	"testing"

	"weir/configs"
)

// Ensure the socket is found in a file that has mistakes elsewhere, so that a weir that runs can be reached to tell them.
func TestSocketDespiteMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	text := "version: 1\nbrokers: {eu: {type: rabbit}}\nadmin: {socket: /tmp/weir.sock}\nshovles: {}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := configs.Socket(file, os.LookupEnv); got != "/tmp/weir.sock" {
		t.Errorf("got %q", got)
	}
	if got := configs.Socket(file+".missing", os.LookupEnv); got != "" {
		t.Errorf("of a missing file: %q", got)
	}
}
