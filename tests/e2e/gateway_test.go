package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/link"
	"weir/tests/transcript"
)

// gateway is a running weir.
type gateway struct {
	t      *testing.T
	config string
	socket string
	cmd    *exec.Cmd
	log    *output
	exited chan struct{}
}

// startGateway writes the configuration and runs weir with it, with env (NAME=value) added to the environment. It is stopped when
// the test ends; if the test failed, its log is printed.
func startGateway(t *testing.T, yaml string, env ...string) *gateway {
	t.Helper()
	folder := t.TempDir()
	g := &gateway{
		t:      t,
		config: filepath.Join(folder, "weir.yaml"),
		socket: filepath.Join(folder, "weir.sock"),
		log:    new(output),
		exited: make(chan struct{}),
	}
	g.write(yaml)
	g.cmd = exec.Command(binary, "run", "-c", g.config)
	g.cmd.Env = append(os.Environ(), env...)
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = g.cmd.Wait() // the exit code is read from ProcessState
		close(g.exited)
	}()
	t.Cleanup(func() {
		g.terminate()
		if t.Failed() {
			t.Logf("log of weir:\n%s", g.log)
		}
	})
	eventually(t, 20*time.Second, "answering at its socket", func() bool {
		_, err := g.run("status", "-o", "json")
		return err == nil
	})
	return g
}

// write replaces the configuration, with the admin listener off and the socket in a folder of the test's own.
func (g *gateway) write(yaml string) {
	g.t.Helper()
	yaml += "\nadmin: {listen: \"\", socket: " + g.socket + "}\n"
	if err := os.WriteFile(g.config, []byte(yaml), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// run runs a weir command beside the gateway and returns what it printed.
func (g *gateway) run(args ...string) (string, error) {
	out, err := exec.Command(binary, append(args, "-c", g.config)...).CombinedOutput()
	return string(out), err
}

// statuses is what `weir status -o json` says of all links.
func (g *gateway) statuses() []link.Status {
	g.t.Helper()
	cmd := exec.Command(binary, "status", "-o", "json", "-c", g.config)
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

// status is what it says of one link.
func (g *gateway) status(name string) link.Status {
	g.t.Helper()
	all := g.statuses()
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	g.t.Fatalf("weir status shows no link %s: %+v", name, all)
	return link.Status{}
}

// terminate sends SIGTERM and waits until weir has drained. It returns the exit code.
func (g *gateway) terminate() int {
	_ = g.cmd.Process.Signal(syscall.SIGTERM) // it may have exited already
	select {
	case <-g.exited:
	case <-time.After(40 * time.Second):
		g.t.Error("weir did not stop within 40 s of SIGTERM")
		_ = g.cmd.Process.Kill()
		<-g.exited
	}
	return g.cmd.ProcessState.ExitCode()
}

// output collects a process's output.
type output struct{ transcript.Buffer }

// lines are those that hold every one of words.
func (l *output) lines(words ...string) []string {
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
