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
	"time"
)

const (
	memoryLimit  = 1 << 30         // bytes, where a node's memory alarm goes off
	startTimeout = 3 * time.Minute // nodes take 4 to 8 s on an idle machine
)

// start starts a cluster of an installed version. On error nothing is left of it.
func start(ctx context.Context, s Spec) (*Cluster, error) {
	if s.Version == "" {
		s.Version = Versions()[0]
	}
	in, err := find(s.Version)
	if err != nil {
		return nil, err
	}
	return in.start(ctx, s)
}

// start starts a cluster and waits until it is whole. On error nothing is left of it.
func (in installation) start(ctx context.Context, s Spec) (*Cluster, error) {
	if s.Name == "" {
		s.Name = "rabbit"
	}
	if s.Nodes < 0 || s.Nodes > maxNodes {
		return nil, fmt.Errorf("a cluster of %d nodes: want 1 to %d", s.Nodes, maxNodes)
	}
	c := &Cluster{install: in, extra: s.Config}
	c.Broker = Broker{Version: s.Version, Release: in.release, Name: s.Name, Username: "lab", Password: "lab", own: true}
	if err := c.prepare(max(s.Nodes, 1)); err != nil {
		c.stop()
		return nil, fmt.Errorf("prepare RabbitMQ %s: %w", in.release, err)
	}
	if err := c.boot(ctx, c.Nodes...); err != nil {
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
	c.cookie = rand.Text()
	if err := os.WriteFile(filepath.Join(home, ".erlang.cookie"), []byte(c.cookie), 0o400); err != nil {
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
		port := c.ports.base + 1 + nodePorts*i // the first is epmd's
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

// boot starts nodes side by side and waits until each is ready.
func (c *Cluster) boot(ctx context.Context, nodes ...*Node) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, n := range nodes {
		if err := c.start(n); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := until(ctx, func() error { return c.ready(ctx, n) }); err != nil {
			return err
		}
	}
	return nil
}

// ready tells whether a node has booted, accepts AMQP connections, and sees every node that is up in its cluster.
func (c *Cluster) ready(ctx context.Context, n *Node) error {
	for _, peer := range c.Nodes {
		if peer.process != nil && peer.exited() {
			return fmt.Errorf("%s: %w", peer.Name, errExited)
		}
	}
	if err := errors.Join(c.sees(ctx, n), accepts(n.AMQP)); err != nil {
		return err
	}
	// It listens a moment before it has booted. A vhost made in that moment is not started on it, and its creation hangs.
	booted, err := c.eval(n, "rabbit:is_booted().")
	if err == nil && booted != "true" {
		err = fmt.Errorf("%s has not booted", n.Name)
	}
	return err
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
