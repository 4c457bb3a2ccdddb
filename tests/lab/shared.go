package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Variable names the environment variable with the path of the file that Shared.Write wrote.
const Variable = "WEIR_LAB"

// Shared is one node of each version, for all tests of a run. The zero value has none and starts each when it is first asked for.
type Shared struct {
	mu       sync.Mutex
	clusters map[string]*starting
}

type starting struct {
	once    sync.Once
	cluster *Cluster
	err     error
}

// Start returns the node of a version, started if it is not yet. Versions start side by side. The error is
// ErrNotInstalled, or holds the end of the node's log; it stays.
func (s *Shared) Start(ctx context.Context, version string) (*Broker, error) {
	s.mu.Lock()
	if s.clusters == nil {
		s.clusters = make(map[string]*starting)
	}
	node, ok := s.clusters[version]
	if !ok {
		node = new(starting)
		s.clusters[version] = node
	}
	s.mu.Unlock()
	node.once.Do(func() {
		if node.cluster, node.err = start(ctx, Spec{Version: version}); node.err == nil {
			node.cluster.own = false
		}
	})
	if node.err != nil {
		return nil, node.err
	}
	return &node.cluster.Broker, nil
}

// Stop stops every node. The caller has waited for its calls of Start.
func (s *Shared) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, node := range s.clusters {
		if node.cluster != nil {
			node.cluster.stop()
		}
	}
	s.clusters = nil
}

// Write describes the brokers in a file for other processes, which find it through [Variable].
func Write(path string, brokers map[string]*Broker) error {
	text, err := json.MarshalIndent(brokers, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

func read(path string) (map[string]*Broker, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the lab's file: %w; unset %s, or start that lab again", err, Variable)
	}
	var brokers map[string]*Broker
	if err := json.Unmarshal(text, &brokers); err != nil {
		return nil, fmt.Errorf("read the lab's file %s: %w", path, err)
	}
	return brokers, nil
}

// process is the shared nodes of a test process without WEIR_LAB. It must be package state: the tests of a package share nothing
// else, and only TestMain knows when the last has ended.
var process struct {
	sync.Mutex
	*Shared // nil outside Suite.Run
}

// Suite runs a package's tests and then stops the shared nodes that they started. goleak.VerifyTestMain takes it in place of the
// testing.M in it.
type Suite struct{ M *testing.M }

// Run returns the exit code of the tests.
func (s Suite) Run() int {
	shared := new(Shared)
	process.Lock()
	process.Shared = shared
	process.Unlock()
	defer shared.Stop()
	return s.M.Run()
}

// Main is the body of TestMain in every package that calls RabbitMQ.
func Main(m *testing.M) { os.Exit(Suite{m}.Run()) }

// RabbitMQ returns the shared node of a version: the one of this test run (WEIR_LAB), else one that this process starts. Tests use it
// through a vhost of their own and change nothing that other vhosts see. A version that is not installed fails the test, but
// skips it for "newest" if that could not be installed.
func RabbitMQ(t testing.TB, version string) *Broker {
	t.Helper()
	broker, err := shared(version)
	if err != nil {
		giveUp(t, version, err)
	}
	return broker
}

func shared(version string) (*Broker, error) {
	if path := os.Getenv(Variable); path != "" {
		brokers, err := read(path)
		if err != nil {
			return nil, err
		}
		if broker, ok := brokers[version]; ok {
			return broker, nil
		}
		if _, err := find(version); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("the lab in %s has no RabbitMQ %s; unset %s, or start that lab again", path, version, Variable)
	}
	process.Lock()
	nodes := process.Shared
	process.Unlock()
	if nodes == nil {
		return nil, errors.New("nobody would stop RabbitMQ: the package's TestMain must call lab.Main(m)")
	}
	return nodes.Start(context.Background(), version)
}
