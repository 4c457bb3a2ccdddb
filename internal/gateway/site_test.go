package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/internal/brokers"
	"weir/internal/gateway"
	"weir/link"
	"weir/tests/transcript"
)

// site is a gateway under test: its configuration can be rewritten, its brokers are in memory.
type site struct {
	*gateway.Gateway
	t     *testing.T
	yaml  string
	eu    *memory.Broker
	us    *memory.Broker
	log   transcript.Buffer
	level slog.LevelVar
	stop  func()

	mu     sync.Mutex
	closed []string // names of brokers, in order
}

func start(t *testing.T, yaml string, before ...func(s *site)) *site {
	t.Helper()
	s := &site{t: t, yaml: yaml, eu: memory.New("eu"), us: memory.New("us")}
	for _, prepare := range before {
		prepare(s)
	}
	cfg, warnings, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.Gateway, err = gateway.Start(ctx, cfg, warnings, gateway.Options{
		File: "weir.yaml", Load: s.load, Open: s.open, Log: slog.New(slog.NewTextHandler(&s.log, nil)), Level: &s.level,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.stop = sync.OnceFunc(func() {
		cancel()
		s.Wait()
	})
	t.Cleanup(s.stop)
	return s
}

func (s *site) load() (*configs.Config, configs.Problems, error) {
	return configs.Parse("weir.yaml", []byte(s.yaml), os.LookupEnv)
}

// open is a brokers.Open. What is declared under another name than eu is the broker us.
func (s *site) open(_ context.Context, d brokers.Declared, _ *slog.Logger) (broker.Broker, func(), error) {
	b := s.us
	if d.Name == "eu" {
		b = s.eu
	}
	if d.ClusterName == "fails" {
		return nil, nil, errors.New("its folder cannot be written")
	}
	return b, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = append(s.closed, d.Name+" "+d.ClusterName)
	}, nil
}

func (s *site) closedBrokers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.closed)
}

func (s *site) logged(text string) bool { return strings.Contains(s.log.String(), text) }

// reload rewrites the configuration and has it read.
func (s *site) reload(yaml string) gateway.Changes {
	s.t.Helper()
	s.yaml = yaml
	c, err := s.Reload()
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *site) state(name string) link.State {
	s.t.Helper()
	l, err := s.Link(name)
	if err != nil {
		s.t.Fatal(err)
	}
	return l.State
}

// yaml is a configuration with the brokers eu and us and these shovels, each from a queue to the queue of the same name
// and an x.
func yaml(usCluster string, shovels ...string) string {
	text := fmt.Sprintf(`
brokers:
  eu: {type: rabbitmq, uris: [amqp://eu]}
  us: {type: rabbitmq, uris: [amqp://us], cluster-name: %q}
shovels:
`, usCluster)
	for _, name := range shovels {
		text += fmt.Sprintf("  %s: {source: {broker: eu, queue: %s}, destinations: [{broker: us, queue: %s-x}]}\n", name, name, name)
	}
	return text
}

// settle lets links do what they can do at once, and a little more: their watch looks every quarter of a second.
func settle() { pass(2 * time.Second) }

// pass lets time pass, which in the bubble of a test costs none.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func expectBodies(t *testing.T, b *memory.Broker, queue string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, b.Bodies(queue)); d != "" {
		t.Errorf("queue %s (-want +got):\n%s", queue, d)
	}
}
