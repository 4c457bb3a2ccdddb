package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// debian is the release of Debian whose rabbitmq-server is of a version.
func debian(version string) (suite string, err error) {
	switch version {
	case "3.10":
		return "bookworm", nil
	case "4.0":
		return "trixie", nil
	case "newest":
		return "sid", nil
	}
	return "", fmt.Errorf("the lab has no RabbitMQ %q, only %s", version, strings.Join(Versions(), ", "))
}

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
// no service starts. What the tools say goes to out. Two installers of one version wait for one another.
//
// Debian unstable may not install on a given day. That failure is kept in the cache, so that tests of "newest" skip with the
// reason until an Install succeeds.
func Install(ctx context.Context, version string, out io.Writer) (release string, err error) {
	if in, err := find(version); !errors.Is(err, ErrNotInstalled) {
		return in.release, err
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("install RabbitMQ %s: not root; run: %s", version, installCommand())
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
		return "", errors.Join(err, os.WriteFile(root+".failed", []byte(err.Error()), 0o644))
	}
	if err := os.Remove(root + ".failed"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	in, err := find(version)
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

// unpack makes a Debian tree at $1 out of suite $2, with rabbitmq-server in it. policy-rc.d keeps its service from
// starting. A mirror may be a snapshot that is older than unstable's release files are valid; signatures still count.
const unpack = `set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
debootstrap --variant=minbase "$2" "$1" http://deb.debian.org/debian
cp /etc/hosts /etc/resolv.conf "$1/etc/"
printf '#!/bin/sh\nexit 101\n' > "$1/usr/sbin/policy-rc.d"
chmod +x "$1/usr/sbin/policy-rc.d"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
apt() { chroot "$1" apt-get -q -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false "$2" -y --no-install-recommends $3; }
apt "$1" update ""
apt "$1" install rabbitmq-server
rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*
`

// build makes the tree in a folder next to root and then renames it, so that root is whole or absent. All mounts are in a
// private namespace and gone with the shell.
func build(ctx context.Context, version, root string, out io.Writer) error {
	suite, err := debian(version)
	if err != nil {
		return err
	}
	if err := needDebootstrap(ctx, out); err != nil {
		return err
	}
	tmp := root + ".unfinished"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	shell := exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "private", "sh", "-c", unpack, "sh", tmp, suite)
	if err := run(shell, out); err != nil {
		return errors.Join(fmt.Errorf("unpack Debian %s: %w", suite, err), os.RemoveAll(tmp))
	}
	if _, ok := installed(tmp, version); !ok {
		return errors.Join(fmt.Errorf("Debian %s no longer holds RabbitMQ %s", suite, version), os.RemoveAll(tmp))
	}
	return os.Rename(tmp, root)
}

// needDebootstrap installs debootstrap, which starts no service, where it is missing.
func needDebootstrap(ctx context.Context, out io.Writer) error {
	if _, err := exec.LookPath("debootstrap"); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("no debootstrap and no apt-get to install it; install debootstrap by hand")
	}
	cache, err := Cache()
	if err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(cache, "apt.lock")) // several versions install side by side
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := exec.LookPath("debootstrap"); err == nil {
		return nil
	}
	for _, args := range [][]string{{"-q", "update"}, {"-q", "install", "-y", "--no-install-recommends", "debootstrap"}} {
		apt := exec.CommandContext(ctx, "apt-get", args...)
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if err := run(apt, out); err != nil {
			return fmt.Errorf("install debootstrap: %w", err)
		}
	}
	return nil
}

func run(cmd *exec.Cmd, out io.Writer) error {
	cmd.Stdout, cmd.Stderr = out, out
	return cmd.Run()
}
