package lab

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A folder holds the files of a cluster. It is locked for as long as the process lives, so that what a killed process left
// behind can be told from what is in use.
type folder struct {
	path string
	lock *os.File
}

const (
	folderPrefix = "weir-lab-"
	lockFile     = "lock"
	youngest     = time.Minute // a younger folder may be about to be locked
)

func newFolder() (folder, error) {
	removeLeftovers()
	path, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return folder{}, err
	}
	lock, err := os.Create(filepath.Join(path, lockFile))
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return folder{}, errors.Join(err, os.RemoveAll(path))
	}
	return folder{path, lock}, nil
}

func (f folder) remove() {
	_ = f.lock.Close()
	_ = os.RemoveAll(f.path)
}

// removeLeftovers removes the folders that nobody has locked. It is a courtesy, so its errors do not count.
func removeLeftovers() {
	locks, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*", lockFile))
	for _, path := range locks {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		info, err := f.Stat()
		if err == nil && time.Since(info.ModTime()) > youngest && unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
		_ = f.Close()
	}
}
