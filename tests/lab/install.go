package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const cacheVariable = "WEIR_LAB_CACHE"

// Cache returns the folder that holds the Debian trees: $WEIR_LAB_CACHE, or weir-lab in the user's cache folder.
func Cache() (string, error) {
	if dir := os.Getenv(cacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for RabbitMQ: %w; set %s", err, cacheVariable)
	}
	return filepath.Join(dir, "weir-lab"), nil
}

func rootOf(version string) (string, error) {
	if _, err := debian(version); err != nil {
		return "", err
	}
	cache, err := Cache()
	return filepath.Join(cache, version), err
}

// Install gets a version of RabbitMQ, unless the machine has it, and returns its release. It unpacks a minimal Debian
// tree in the cache folder with debootstrap, which takes root and about a minute; nothing is installed on the machine itself and
// no service starts. What the tools say goes to out. Two installers of one version wait for one another. Without root the error
// is ErrNotInstalled, and says what to run.
//
// What was unpacked counts once a node of it has started. Debian unstable may fail in either on a given day. That failure is kept in the cache, so that tests of "newest" skip with the
// reason until an Install succeeds.
func Install(ctx context.Context, version string, out io.Writer) (release string, err error) {
	in, err := find(version)
	if !errors.Is(err, ErrNotInstalled) {
		return in.release, err
	}
	if os.Geteuid() != 0 {
		return "", err
	}
	root, err := rootOf(version)
	if err != nil {
		return "", err
	}
	unlock, err := lock(root + ".lock")
	if err != nil {
		return "", fmt.Errorf("install RabbitMQ %s: %w", version, err)
	}
	defer unlock()
	if in, err := find(version); err == nil { // made by another installer meanwhile
		return in.release, nil
	}
	if err := build(ctx, version, root, out); err != nil {
		err = fmt.Errorf("install RabbitMQ %s: %w", version, err)
		if ctx.Err() != nil { // says nothing about the version
			return "", err
		}
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return "", errors.Join(err, os.WriteFile(root+".failed", []byte(reason), 0o644))
	}
	if err := os.Remove(root + ".failed"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	in, err = find(version)
	return in.release, err
}

// failure is what the last Install of a version died of, "" if it did not.
func failure(version string) string {
	root, err := rootOf(version)
	if err != nil {
		return ""
	}
	reason, err := os.ReadFile(root + ".failed")
	if err != nil {
		return ""
	}
	return string(reason)
}

// lock waits for the file to be nobody else's. The kernel gives it back when the process ends.
func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
