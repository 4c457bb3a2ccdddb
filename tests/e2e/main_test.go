// Package e2e tests the built binary against real brokers, as an operator runs it: a YAML file, a process, its log, its
// status, signals.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"weir/tests/lab"
)

// binary is weir, built once for all tests of the package.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	binary = filepath.Join(folder, "weir")
	if out, err := exec.Command("go", "build", "-o", binary, "weir").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build weir: %v\n%s", err, out)
		return 1
	}
	return lab.Suite{M: m}.Run()
}

// eventually waits for a condition; what says in words what did not come about.
func eventually(t *testing.T, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("after %v: still not %s", limit, what)
		case <-tick.C:
		}
	}
}
