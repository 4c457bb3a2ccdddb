// Package built runs the built binary as an operator does: a YAML file, a process, its log, its status, signals. The tests of
// a package that uses it run in a [Suite].
package built

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/link"
	"weir/tests/await"
	"weir/tests/lab"
	"weir/tests/transcript"
)

// Gateway is a running weir. Its methods fail the test on error.
type Gateway struct {
	Config string // path of its weir.yaml
	Log    *Output

	t      *testing.T
	socket string
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start writes the configuration and runs weir with it, with env (NAME=value) added to the environment. It returns when weir answers at
// its socket. Weir is stopped when the test ends; if the test failed, its log is printed.
func Start(t *testing.T, yaml string, env ...string) *Gateway {
	t.Helper()
	return start(t, exec.Command, yaml, env...)
}

// StartOn is Start on a host of the lab's own network. The socket is reached from outside.
func StartOn(t *testing.T, host *lab.Host, yaml string) *Gateway {
	t.Helper()
	return start(t, host.Command, yaml)
}

func start(t *testing.T, command func(program string, args ...string) *exec.Cmd, yaml string, env ...string) *Gateway {
	t.Helper()
	folder := t.TempDir()
	g := &Gateway{
		Config: filepath.Join(folder, "weir.yaml"),
		Log:    new(Output),
		t:      t,
		socket: filepath.Join(folder, "weir.sock"),
		exited: make(chan struct{}),
	}
	g.Write(yaml)
	g.cmd = command(Binary(), "run", "-c", g.Config)
	g.cmd.Env = append(os.Environ(), env...)
	g.cmd.Stdout, g.cmd.Stderr = g.Log, g.Log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = g.cmd.Wait() // the exit code is read from ProcessState
		close(g.exited)
	}()
	t.Cleanup(func() {
		g.Terminate()
		if t.Failed() {
			t.Logf("log of weir:\n%s", g.Log)
		}
	})
	await.That(t, 2*time.Minute, "answering at its socket", func() bool {
		_, err := g.Run("status", "-o", "json")
		return err == nil
	})
	return g
}

// Write replaces the configuration, with the admin listener off and the socket in a folder of the test's own.
func (g *Gateway) Write(yaml string) {
	g.t.Helper()
	yaml += "\nadmin: {listen: \"\", socket: " + g.socket + "}\n"
	if err := os.WriteFile(g.Config, []byte(yaml), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// Reload replaces the configuration and has weir load it.
func (g *Gateway) Reload(yaml string) {
	g.t.Helper()
	g.Write(yaml)
	if out, err := g.Run("reload"); err != nil {
		g.t.Fatalf("reload: %v\n%s", err, out)
	}
}

// Run runs a weir command beside the gateway and returns what it printed.
func (g *Gateway) Run(args ...string) (string, error) {
	out, err := exec.Command(Binary(), append(args, "-c", g.Config)...).CombinedOutput()
	return string(out), err
}

// Statuses is what `weir status -o json` says of all links.
func (g *Gateway) Statuses() []link.Status {
	g.t.Helper()
	cmd := exec.Command(Binary(), "status", "-o", "json", "-c", g.Config)
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("weir status: %v\n%s", err, out)
	}
	var links struct {
		Links []link.Status `json:"links"`
	}
	if err := json.Unmarshal(out, &links); err != nil {
		g.t.Fatalf("weir status: %v\n%s", err, out)
	}
	return links.Links
}

// Status is what it says of one link.
func (g *Gateway) Status(name string) link.Status {
	g.t.Helper()
	all := g.Statuses()
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	g.t.Fatalf("weir status shows no link %s: %+v", name, all)
	return link.Status{}
}

// Has tells whether a link is there, and in one of these states.
func (g *Gateway) Has(name string, states ...link.State) bool {
	g.t.Helper()
	return slices.ContainsFunc(g.Statuses(), func(s link.Status) bool { return s.Name == name && slices.Contains(states, s.State) })
}

// Signal sends a signal to weir, unless it has exited.
func (g *Gateway) Signal(s os.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		g.t.Fatal(err)
	}
}

// Terminate sends SIGTERM and waits until weir has drained. It returns the exit code.
func (g *Gateway) Terminate() int {
	g.Signal(syscall.SIGTERM)
	select {
	case <-g.exited:
	case <-time.After(time.Minute):
		g.t.Error("weir did not stop within a minute of SIGTERM")
		_ = g.cmd.Process.Kill()
		<-g.exited
	}
	return g.cmd.ProcessState.ExitCode()
}

// Output is what weir has written.
type Output struct{ transcript.Buffer }

// Lines are those that hold every one of words.
func (l *Output) Lines(words ...string) []string {
	var found []string
next:
	for line := range strings.Lines(l.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}
