package lab

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Ensure a new folder clears away what a killed process left, and nothing that is in use or young.
func TestLeftovers(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	folders := make(map[string]folder)
	for _, name := range []string{"in use", "left", "young"} {
		f, err := newFolder()
		if err != nil {
			t.Fatal(err)
		}
		folders[name] = f
	}
	long := time.Now().Add(-2 * youngest)
	for name, f := range folders {
		if name != "in use" {
			_ = f.lock.Close()
		}
		if name != "young" {
			if err := os.Chtimes(filepath.Join(f.path, lockFile), long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	removeLeftovers()
	for name, f := range folders {
		if _, err := os.Stat(f.path); os.IsNotExist(err) != (name == "left") {
			t.Errorf("%s: %v", name, err)
		}
	}
	folders["in use"].remove()
}
