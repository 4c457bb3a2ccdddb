package cli

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Ensure a change is told that was made after the file was read and before it was watched.
func TestWatchMissesNoEarlyChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	changed, stop, err := watchFile(file, []byte("old"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Error("the change was not told")
	}
}
