package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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

// build makes the tree in a folder next to root and then renames it, so that root is whole or absent. All mounts and all processes are in
// namespaces of their own and gone with the shell.
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
	shell := exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "--kill-child",
		"sh", "-c", unpack, "sh", tmp, suite)
	shell.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := run(shell, out); err != nil {
		return errors.Join(fmt.Errorf("unpack Debian %s: %w", suite, err), os.RemoveAll(tmp))
	}
	in, ok := installed(tmp, version)
	if !ok {
		return errors.Join(fmt.Errorf("no RabbitMQ %s in Debian %s any more", version, suite), os.RemoveAll(tmp))
	}
	c, err := in.start(ctx, Spec{Version: version})
	if err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	c.stop()
	return os.Rename(tmp, root)
}

// needDebootstrap installs debootstrap, which starts no service, where it is missing.
func needDebootstrap(ctx context.Context, out io.Writer) error {
	return aptInstall(ctx, "debootstrap", out)
}

// aptInstall installs a program of that name, and more packages beside it, where the program is missing. No service starts.
func aptInstall(ctx context.Context, program string, out io.Writer, more ...string) error {
	if _, err := exec.LookPath(program); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("no %s and no apt-get to install it; install %s by hand", program, program)
	}
	cache, err := Cache()
	if err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(cache, "apt.lock")) // several things install side by side
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := exec.LookPath(program); err == nil {
		return nil
	}
	noServices, err := withoutServices()
	if err != nil {
		return err
	}
	packages := append([]string{"-q", noServices, "install", "-y", "--no-install-recommends", program}, more...)
	for _, args := range [][]string{{"-q", "update"}, packages} {
		apt := exec.CommandContext(ctx, "apt-get", args...)
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if err := run(apt, out); err != nil {
			return fmt.Errorf("install %s: %w", program, err)
		}
	}
	return nil
}

// run shows what a command says and puts the last line of it into its error.
func run(cmd *exec.Cmd, out io.Writer) error {
	var said bytes.Buffer
	cmd.Stdout = io.MultiWriter(out, &said)
	cmd.Stderr = cmd.Stdout
	err := cmd.Run()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	return fmt.Errorf("%w: %s", err, lines[len(lines)-1])
}
