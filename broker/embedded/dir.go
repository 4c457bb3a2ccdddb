package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// ErrInUse says that another process, or another broker of this one, keeps its streams in the same folder: two would
// damage them.
var ErrInUse = errors.New("folder in use by another broker")

// own makes the folder if it is missing and keeps others out of it until it is let go, or the process ends.
func own(folder string) (*flock.Flock, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("data-dir: %w", err)
	}
	lock := flock.New(filepath.Join(folder, "weir.lock"))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("data-dir %s: %w", folder, err)
	case !locked:
		return nil, fmt.Errorf("data-dir %s: %w", folder, ErrInUse)
	}
	return lock, nil
}
