package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Versions returns the versions of RabbitMQ that weir is tested against, oldest first. "newest" is whatever Debian
// unstable holds today.
func Versions() []string { return []string{"3.10", "4.0", "newest"} }

// ErrNotInstalled is returned for a version that is not on this machine. The error that wraps it says how to get it.
var ErrNotInstalled = errors.New("not installed")

// installation is one RabbitMQ with the Erlang it runs on. Its programs live below /usr: the machine's own, or that of
// a Debian tree at root, which a node sees as /usr through a mount of its own (see command).
type installation struct {
	root    string // "" is the machine itself
	sbin    string // seen from inside: /usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin
	release string // 3.10.8
}

// find returns the installation of a version: the machine's own if it is of that version, else the one [Install] made.
func find(version string) (installation, error) {
	if in, ok := installed("", version); ok && version != "newest" {
		return in, nil
	}
	root, err := rootOf(version)
	if err != nil {
		return installation{}, err
	}
	if in, ok := installed(root, version); ok {
		return in, nil
	}
	return installation{}, fmt.Errorf("RabbitMQ %s is %w; get it with: %s", version, ErrNotInstalled, installCommand())
}

func installed(root, version string) (installation, bool) {
	dirs, err := filepath.Glob(root + "/usr/lib/rabbitmq/lib/rabbitmq_server-*")
	if err != nil || len(dirs) == 0 {
		return installation{}, false
	}
	release := strings.TrimPrefix(filepath.Base(dirs[0]), "rabbitmq_server-")
	if version != "newest" && !strings.HasPrefix(release, version+".") {
		return installation{}, false
	}
	return installation{root: root, sbin: strings.TrimPrefix(dirs[0], root) + "/sbin", release: release}, true
}

// installCommand is what a developer types to get every version: only root may unpack a Debian tree, into the
// developer's own cache.
func installCommand() string {
	if os.Geteuid() == 0 {
		return "go run ./tests -install"
	}
	cache, err := Cache()
	if err != nil {
		cache = "DIR"
	}
	return fmt.Sprintf("sudo %s=%q $(command -v go) run ./tests -install", cacheVariable, cache)
}

// command runs a program of the installation. For a Debian tree it does so in a private mount namespace where the tree's
// usr lies over /usr; everything else (/etc, /proc, the lab's folder) stays the machine's, and no mount outlives the process.
// Each step is an exec, so the process id is that of the program.
func (in installation) command(program string, args ...string) *exec.Cmd {
	if in.root == "" {
		return exec.Command(program, args...)
	}
	unshare := []string{"--mount", "--propagation", "private"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--map-root-user")
	}
	unshare = append(unshare, "sh", "-c", `mount --bind "$0/usr" /usr && exec "$@"`, in.root, program)
	return exec.Command("unshare", append(unshare, args...)...)
}
