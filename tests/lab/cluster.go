package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
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
	server  KeyPair
	extra   string
}

const (
	memoryLimit  = 1 << 30         // bytes, where a node's memory alarm goes off
	startTimeout = 3 * time.Minute // a node takes 4 to 8 s on an idle machine
)

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

// start starts a cluster and waits until it is whole. On error nothing is left of it.
func start(ctx context.Context, s Spec) (*Cluster, error) {
	if s.Version == "" {
		s.Version = Versions()[0]
	}
	if s.Name == "" {
		s.Name = "rabbit"
	}
	s.Nodes = max(s.Nodes, 1)
	in, err := find(s.Version)
	if err != nil {
		return nil, err
	}
	c := &Cluster{install: in, extra: s.Config}
	c.Broker = Broker{Version: s.Version, Release: in.release, Name: s.Name, Username: "lab", Password: "lab", own: true}
	if err := c.prepare(s.Nodes); err != nil {
		c.stop()
		return nil, fmt.Errorf("prepare RabbitMQ %s: %w", in.release, err)
	}
	for _, n := range c.Nodes { // the slow part is side by side: start does not wait
		if err = c.start(n); err != nil {
			break
		}
	}
	for _, n := range c.Nodes {
		if err == nil {
			err = c.ready(ctx, n)
		}
	}
	if err != nil {
		err = fmt.Errorf("start RabbitMQ %s: %w\n%s", in.release, err, c.tails())
		c.stop()
		return nil, err
	}
	return c, nil
}

// prepare makes all that nodes need before they start.
func (c *Cluster) prepare(nodes int) (err error) {
	if c.folder, err = newFolder(); err != nil {
		return err
	}
	home, tls := filepath.Join(c.folder.path, "home"), filepath.Join(c.folder.path, "tls")
	for _, dir := range []string{home, tls} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(home, ".erlang.cookie"), []byte(rand.Text()), 0o400); err != nil {
		return err
	}
	if c.Authority, err = newAuthority(tls); err != nil {
		return err
	}
	if c.server, err = c.Authority.issue(tls, "localhost"); err != nil {
		return err
	}
	if c.ports, err = claimBlock(); err != nil {
		return err
	}
	for i := range nodes {
		port := c.ports.base + 1 + 4*i
		name := fmt.Sprintf("%s%d@localhost", c.Name, i+1)
		c.Nodes = append(c.Nodes, &Node{Name: name, AMQP: port, AMQPS: port + 1, Management: port + 2, dist: port + 3})
	}
	for _, n := range c.Nodes {
		if err := c.configure(n); err != nil {
			return err
		}
	}
	c.epmd, err = c.startEpmd()
	return err
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

// ready waits until a node accepts AMQP connections and sees every node that is up in its cluster.
func (c *Cluster) ready(ctx context.Context, n *Node) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return until(ctx, func() error {
		if n.exited() {
			return fmt.Errorf("%s: %w", n.Name, errExited)
		}
		return errors.Join(c.sees(ctx, n), accepts(n.AMQP))
	})
}

var errExited = errors.New("exited while it started")

// until calls done until it succeeds, the node behind it has exited, or ctx ends.
func until(ctx context.Context, done func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil || errors.Is(err, errExited) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

func accepts(port int) error {
	conn, err := net.Dial("tcp", address(port))
	if err != nil {
		return err
	}
	return conn.Close()
}

func (c *Cluster) sees(ctx context.Context, n *Node) error {
	reply, err := c.requestNode(ctx, n, http.MethodGet, "nodes", nil)
	if err != nil {
		return err
	}
	var nodes []struct {
		Name    string
		Running bool
	}
	if err := decode(reply, &nodes); err != nil {
		return err
	}
	running := make(map[string]bool)
	for _, node := range nodes {
		running[node.Name] = node.Running
	}
	for _, peer := range c.Nodes {
		if peer.process != nil && !running[peer.Name] {
			return fmt.Errorf("%s does not see %s", n.Name, peer.Name)
		}
	}
	return nil
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
	n := c.Nodes[i]
	n.kill()
	err := c.start(n)
	if err == nil {
		err = c.ready(c.t.Context(), n)
	}
	if err != nil {
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
	if err := syscall.Kill(c.Nodes[i].Pid, s); err != nil {
		c.t.Fatalf("%s: %v", c.Nodes[i].Name, err)
	}
}
