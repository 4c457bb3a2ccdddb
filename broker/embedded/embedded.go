// Package embedded runs NATS JetStream inside the process: one node, a cluster of three, or one node of a cluster that
// spans hosts. Three nodes in one process show how a cluster behaves, and survive no more than the process does.
//
//	embedded.go  what is started, and how others reach it
//	dir.go       the folder that only one of them uses
//	node.go      one server
//	options.go   what a server is told
//	ports.go     where servers of this process reach each other
//	logger.go    its log, in slog
package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// readyTimeout bounds how long a server may take to listen, and a cluster of this process to agree. Either takes a
// fraction of a second on an idle machine.
const readyTimeout = 30 * time.Second

// MaxPayload is the largest message, headers included, in bytes: the largest body of RabbitMQ 4, and room for headers.
const MaxPayload = 17 << 20

// Config says what to start.
type Config struct {
	// Name is the broker's, for node names and logs.
	Name string
	// Nodes is 1 or 3, 0 is 1. With Cluster it is 1.
	Nodes int
	// DataDir holds the streams, a folder a node. Empty: a temporary folder that goes with the server.
	DataDir string
	// Listen is where clients reach the first node, host:port. Empty: a free port on loopback.
	Listen string
	// Users may log in. Without any everybody may, so Listen must then be on loopback.
	Users []User
	// Cluster makes this process one node of a cluster across hosts. nil: a cluster of its own.
	Cluster *Cluster
	// Unsynced leaves it to the operating system when a confirmed message reaches the disk. Faster; a power cut may then
	// lose what was confirmed.
	Unsynced bool
	// Domain is the JetStream domain, empty for none.
	Domain string
}

// User may log in.
type User struct {
	Username string
	Password func() (string, error)
}

// Cluster is how nodes on several hosts find and trust each other.
type Cluster struct {
	// Name is the same on all nodes.
	Name string
	// Listen is where the others reach this node, host:port, and what it is known by. Where the host is that of all addresses
	// (0.0.0.0), the node is known by the name of its host.
	Listen string
	// Routes are the others' Listen. This node's own may be among them.
	Routes []string
	// Secret is the password that the nodes share. nil: none.
	Secret func() (string, error)
}

// Server is what Start has started.
type Server struct {
	log      *slog.Logger
	folder   string       // temporary, to be removed; or empty
	owned    *flock.Flock // keeps others out of the folder; nil before it is ours
	username string       // of the process itself, if users are declared
	password string

	mu    sync.Mutex
	nodes []*node
}

// ErrExposed says that other hosts could log in, or join the cluster, without a password.
var ErrExposed = errors.New("without a password it must listen on loopback")

// Start starts the nodes and waits until they can be used: a cluster within this process until it has a leader, a node of
// a cluster across hosts until it listens, because the other hosts may be down. Call Shutdown in the end. The error may be
// ErrExposed or ErrInUse.
func Start(ctx context.Context, c Config, log *slog.Logger) (*Server, error) {
	s := &Server{log: log.With("broker", c.Name)}
	if err := s.start(ctx, c); err != nil {
		s.Shutdown()
		return nil, fmt.Errorf("start embedded broker %s: %w", c.Name, err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, c Config) error {
	if len(c.Users) == 0 && !loopback(c.Listen) {
		return fmt.Errorf("listen %s: %w", c.Listen, ErrExposed)
	}
	if k := c.Cluster; k != nil && k.Secret == nil && !loopback(k.Listen) {
		return fmt.Errorf("cluster: listen %s: without a secret: %w", k.Listen, ErrExposed)
	}
	if len(c.Users) > 0 {
		s.username, s.password = "weir-"+rand.Text()[:8], rand.Text()
	}
	if c.DataDir == "" {
		folder, err := os.MkdirTemp("", "weir-broker-")
		if err != nil {
			return err
		}
		s.folder, c.DataDir = folder, folder
	}
	var err error
	if s.owned, err = own(c.DataDir); err != nil {
		return err
	}
	options, err := s.options(c)
	if err != nil {
		return err
	}
	for _, o := range options {
		n := &node{options: o, log: &logger{log: s.log.With("node", o.ServerName)}}
		if err := n.start(ctx); err != nil {
			return err
		}
		s.nodes = append(s.nodes, n)
	}
	if c.Cluster == nil {
		if err := s.Ready(ctx); err != nil {
			return err
		}
	}
	for _, n := range s.nodes {
		n.log.ready.Store(true)
	}
	return nil
}

// Ready waits until JetStream can be used: where there are several nodes, until they have a leader and all follow it.
func (s *Server) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !s.agreed() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the nodes have no leader: %w", ctx.Err())
		}
	}
	return nil
}

func (s *Server) agreed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	running, known := 0, 0 // nodes, and those that the leader knows of
	for _, n := range s.nodes {
		if n.server == nil {
			continue
		}
		running++
		if len(s.nodes) > 1 && !n.server.JetStreamIsCurrent() || !n.server.JetStreamEnabled() {
			return false
		}
		if len(s.nodes) > 1 && n.server.JetStreamIsLeader() {
			known = len(n.server.JetStreamClusterPeers())
		}
	}
	return len(s.nodes) == 1 || known >= running
}

// ClientURL is where clients reach the first node.
func (s *Server) ClientURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[0].url
}

// Credentials are those of this process, which other clients do not have; both empty if everybody may log in.
func (s *Server) Credentials() (username, password string, err error) {
	return s.username, s.password, nil
}

// InProcessConn connects to the first node that runs. It implements nats.InProcessConnProvider.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		if n.server != nil {
			return n.server.InProcessConn()
		}
	}
	return nil, errors.New("no node is running")
}

// Nodes is how many there are in this process.
func (s *Server) Nodes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.nodes)
}

// StopNode stops one node, as a host that goes down, and waits until it has.
func (s *Server) StopNode(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[i].stop()
}

// StartNode starts it again, with the data it had.
func (s *Server) StartNode(i int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[i]
	if n.server != nil {
		return nil
	}
	return n.start(context.Background())
}

// Shutdown stops every node and waits until nothing of them runs.
func (s *Server) Shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stopping sync.WaitGroup
	for _, n := range s.nodes {
		stopping.Go(n.stop)
	}
	stopping.Wait()
	if s.owned != nil {
		if err := s.owned.Unlock(); err != nil {
			s.log.Warn("folder not let go", "error", err)
		}
	}
	if s.folder != "" {
		if err := os.RemoveAll(s.folder); err != nil {
			s.log.Warn("temporary folder not removed", "folder", s.folder, "error", err)
		}
	}
}

// loopback tells whether only this host can reach an address. Empty is a free port on loopback.
func loopback(address string) bool {
	if address == "" {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
