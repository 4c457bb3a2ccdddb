package lab

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Spec says which cluster to start. The zero value is one node of the oldest version.
type Spec struct {
	Version string // default "3.10"
	Nodes   int    // 1 to 3, default 1
	Name    string // cluster name, and the nodes' names before the number; default "rabbit"; must be usable in a host name
	Config  string // lines to add to rabbitmq.conf
}

// Cluster is a cluster of a test's own: its nodes may be killed, frozen and restarted. Its methods fail the test on error.
type Cluster struct {
	Broker

	t       testing.TB // nil if shared
	install installation
	folder  folder
	ports   block
	epmd    *epmd
	cookie  string
	server  KeyPair
	extra   string
}

// StartCluster starts a cluster and returns when all its nodes have joined it and accept connections. It is stopped when
// the test ends; if the test failed, the ends of the nodes' logs are printed. A version that is not installed fails the test, but
// skips it for "newest" if that could not be installed.
func StartCluster(t testing.TB, s Spec) *Cluster {
	t.Helper()
	c, err := start(t.Context(), s)
	if err != nil {
		giveUp(t, s.Version, err)
	}
	c.t = t
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.tails())
		}
		c.stop()
	})
	return c
}

// giveUp ends a test that has no broker.
func giveUp(t testing.TB, version string, err error) {
	t.Helper()
	if reason := failure(version); errors.Is(err, ErrNotInstalled) && version == "newest" && reason != "" {
		t.Skip(reason)
	}
	t.Fatal(err)
}

// stop kills what runs and removes the files. It is safe on a cluster that is half made.
func (c *Cluster) stop() {
	for _, n := range c.Nodes {
		n.kill()
	}
	if c.epmd != nil {
		c.epmd.stop()
	}
	if c.ports.claim != nil {
		c.ports.release()
	}
	if c.folder.lock != nil {
		c.folder.remove()
	}
}

// tails returns the end of each node's log.
func (c *Cluster) tails() string {
	const lines = 25
	var all strings.Builder
	for _, n := range c.Nodes {
		text, err := os.ReadFile(c.log(n))
		if err != nil {
			continue
		}
		log := strings.Split(strings.TrimSpace(string(text)), "\n")
		fmt.Fprintf(&all, "--- log of %s\n%s\n", n.Name, strings.Join(log[max(0, len(log)-lines):], "\n"))
	}
	return all.String()
}

// Kill ends node i with SIGKILL, as a power cut would. Its files stay, for Restart.
func (c *Cluster) Kill(i int) { c.Nodes[i].kill() }

// Restart starts node i again, after a Kill if it is up, and returns when it has joined the nodes that are up and accepts
// connections. Its ports stay the same.
func (c *Cluster) Restart(i int) {
	c.t.Helper()
	c.Nodes[i].kill()
	if err := c.boot(c.t.Context(), c.Nodes[i]); err != nil {
		c.t.Fatal(err)
	}
}

// Pause freezes node i and returns when it is: its connections stay open and silent. Continue ends that; so does the end of the test.
func (c *Cluster) Pause(i int) {
	c.t.Helper()
	c.signal(i, syscall.SIGSTOP)
	err := until(c.t.Context(), func() error {
		if state := c.Nodes[i].states(); strings.Trim(state, "T") != "" {
			return fmt.Errorf("%s: threads are in the states %s", c.Nodes[i].Name, state)
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// Continue wakes node i after Pause.
func (c *Cluster) Continue(i int) {
	c.t.Helper()
	c.signal(i, syscall.SIGCONT)
}

func (c *Cluster) signal(i int, s syscall.Signal) {
	c.t.Helper()
	n := c.Nodes[i]
	if n.process == nil { // 0 would be the test's own process group
		c.t.Fatalf("%s is down", n.Name)
	}
	if err := syscall.Kill(n.Pid, s); err != nil {
		c.t.Fatalf("%s: %v", n.Name, err)
	}
}
