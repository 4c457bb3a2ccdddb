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

// Ensure a change of what a link leads to is told.
func TestWatchFollowsLinks(t *testing.T) {
	real, file := filepath.Join(t.TempDir(), "real.yaml"), filepath.Join(t.TempDir(), "weir.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(real, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	if err := os.Symlink(real, file); err != nil {
		t.Fatal(err)
	}
	changed, stop, err := watchFile(file, []byte("old"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	<-time.After(2 * settle) // the look at the start is over
	write("new")
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Error("the change was not told")
	}
}
