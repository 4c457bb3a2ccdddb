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
	"go.uber.org/goleak"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/internal/brokers"
	"weir/internal/gateway"
	"weir/link"
	"weir/tests/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

func TestReloadTouchesOnlyWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, yaml("", "kept", "gone", "changed"))
		settle()
		sources, sinks := s.eu.Opened()
		c := s.reload(strings.Replace(yaml("", "kept", "new", "changed"), "changed-x", "elsewhere", 1))
		settle()
		want := gateway.Changes{
			Started: []string{"new"}, Restarted: []string{"changed"}, Stopped: []string{"gone"}, Kept: []string{"kept"},
			Federation: []string{},
		}
		if d := cmp.Diff(want, c); d != "" {
			t.Errorf("changes (-want +got):\n%s", d)
		}
		if after, _ := s.eu.Opened(); after != sources+2 {
			t.Errorf("%d sources were opened by the reload, want 2: new and changed", after-sources)
		}
		if _, after := s.eu.Opened(); after != sinks {
			t.Errorf("sinks were opened at a source: %d", after-sinks)
		}
		if _, err := s.Link("gone"); !errors.Is(err, gateway.ErrNoLink) {
			t.Errorf("gone: got %v, want ErrNoLink", err)
		}
		s.eu.Put("kept", "one")
		s.eu.Put("changed", "two")
		settle()
		expectBodies(t, s.us, "kept-x", "one")
		expectBodies(t, s.us, "elsewhere", "two")
	})
}

// A configuration with a mistake, or with a broker that cannot be opened, changes nothing; status says so until the next
// good one.
func TestReloadThatFailsChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := yaml("", "orders")
		s := start(t, good)
		settle()
		sources, _ := s.eu.Opened()
		for _, bad := range []struct{ yaml, want string }{
			{strings.Replace(good, "broker: us", "broker: su", 1),
				`weir.yaml:6:73: shovels.orders.destinations[0].broker: no broker "su"; did you mean "us"?`},
			{yaml("fails", "orders", "more"), `open broker us: its folder cannot be written`},
		} {
			s.yaml = bad.yaml
			if _, err := s.Reload(); err == nil || err.Error() != bad.want {
				t.Errorf("got %v, want %s", err, bad.want)
			}
			settle()
			r := s.Status().Config.Rejected
			if r == nil || r.Error != bad.want || !s.logged("reload refused") {
				t.Errorf("status and log do not tell that %s", bad.want)
			}
		}
		if after, _ := s.eu.Opened(); after != sources || s.closedBrokers() != nil {
			t.Errorf("%d sources were opened and brokers %v closed by reloads that failed", after-sources, s.closedBrokers())
		}
		s.reload(good)
		if s.Status().Config.Rejected != nil {
			t.Error("status still tells of the rejected configuration")
		}
	})
}

// A changed broker is closed only when the links over it have brought over what they had in flight.
// Ensure that a file is read after the reload before is over: what was read earlier must not be applied later.
func TestReloadsComeOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, yaml("", "orders"))
		settle()
		reading, goOn := make(chan struct{}, 2), make(chan struct{})
		s.Load = func() (*configs.Config, configs.Problems, error) {
			reading <- struct{}{}
			<-goOn
			return s.load()
		}
		var reloads sync.WaitGroup
		for range cap(reading) {
			reloads.Go(func() { _, _ = s.Reload() })
		}
		synctest.Wait()
		if n := len(reading); n != 1 {
			t.Errorf("%d reloads read the file at one time", n)
		}
		close(goOn)
		reloads.Wait()
		if n := len(reading); n != cap(reading) {
			t.Errorf("the file was read %d times", n)
		}
	})
}

func TestReloadClosesChangedBrokerAfterItsLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, yaml("one", "orders"))
		s.us.Latency(5 * time.Second)
		settle()
		s.eu.Put("orders", "in flight")
		settle()
		c := s.reload(yaml("two", "orders"))
		if !slices.Equal(c.Restarted, []string{"orders"}) {
			t.Errorf("restarted %v, want orders: its broker is another", c.Restarted)
		}
		synctest.Wait()
		if closed := s.closedBrokers(); closed != nil {
			t.Errorf("closed %v while a message was in flight", closed)
		}
		pass(7 * time.Second)
		if closed := s.closedBrokers(); !slices.Equal(closed, []string{"us one"}) {
			t.Errorf("closed %v, want only the old us", closed)
		}
		expectBodies(t, s.us, "orders-x", "in flight")
		s.stop()
		closed := s.closedBrokers()
		slices.Sort(closed)
		if !slices.Equal(closed, []string{"eu ", "us one", "us two"}) {
			t.Errorf("closed %v in the end, want all", closed)
		}
	})
}

// What an operator has done by hand outlives a reload, also of a link that has changed.
func TestHandOutlivesReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		overflow := func(start int) string {
			return yaml("", "paused") + fmt.Sprintf(`  orders:
    source: {broker: eu, queue: orders}
    destinations: [{broker: us, queue: orders-x}]
    overflow: {messages-ready: {start: %d, stop: 1}}
`, start)
		}
		s := start(t, overflow(100))
		settle()
		if _, err := s.Pause("paused", "new release"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Override("orders", link.On); err != nil {
			t.Fatal(err)
		}
		settle()
		c := s.reload(strings.ReplaceAll(overflow(200), "paused-x", "paused-y"))
		if len(c.Restarted) != 2 {
			t.Fatalf("restarted %v, want both", c.Restarted)
		}
		settle()
		if p, _ := s.Link("paused"); p.State != link.Paused || p.Reason != "new release" {
			t.Errorf("paused: state %s, reason %q", p.State, p.Reason)
		}
		if o, _ := s.Link("orders"); o.Overflow.Mode != link.On || !o.Overflow.Open {
			t.Errorf("orders: mode %s, open %v", o.Overflow.Mode, o.Overflow.Open)
		}
	})
}

func TestControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, yaml("", "orders"))
		settle()
		if _, err := s.Pause("orders", ""); err != nil {
			t.Error(err)
		}
		settle()
		if l, _ := s.Link("orders"); l.State != link.Paused || l.Reason != "by hand" {
			t.Errorf("after a pause: %s, %q", l.State, l.Reason)
		}
		for _, reason := range []string{"new release", ""} { // without a reason the one before stays
			if _, err := s.Pause("orders", reason); err != nil {
				t.Error(err)
			}
			settle()
			if l, _ := s.Link("orders"); l.Reason != "new release" {
				t.Errorf("after another pause: %q", l.Reason)
			}
		}
		if _, err := s.Resume("orders"); err != nil {
			t.Error(err)
		}
		settle()
		if state := s.state("orders"); state != link.Idle {
			t.Errorf("after a resume: %s", state)
		}
		if _, err := s.Override("orders", link.On); !errors.Is(err, gateway.ErrNoOverflow) {
			t.Errorf("override of a plain shovel: got %v", err)
		}
		_, pause := s.Pause("nothing", "")
		_, resume := s.Resume("nothing")
		_, override := s.Override("nothing", link.On)
		for _, err := range []error{pause, resume, override} {
			if !errors.Is(err, gateway.ErrNoLink) {
				t.Errorf("a link that does not exist: got %v", err)
			}
		}
	})
}

// Brokers that are away do not keep a gateway from starting, nor from being ready.
func TestStartsWithoutBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, yaml("", "orders"), func(s *site) {
			s.us.Down(errors.New("connection refused"))
			s.eu.Declare("orders", memory.Queue{})
			s.eu.Put("orders", "one")
		})
		settle()
		if err := s.Ready(); err != nil || s.state("orders") != link.Retrying {
			t.Errorf("ready: %v, state %s", err, s.state("orders"))
		}
		s.us.Up()
		pass(time.Minute)
		expectBodies(t, s.us, "orders-x", "one")
		s.stop()
		if err := s.Ready(); !errors.Is(err, gateway.ErrStopping) {
			t.Errorf("after the stop: got %v", err)
		}
		if _, err := s.Reload(); !errors.Is(err, gateway.ErrStopping) {
			t.Errorf("reload after the stop: got %v", err)
		}
	})
}

func TestSettingsOfTheProcessWaitForARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, yaml("", "orders"))
		process := "admin: {listen: 127.0.0.1:1}\ntelemetry: {traces: {ratio: 1}, logs: {format: json, level: debug}}\n"
		c := s.reload(yaml("", "orders") + process)
		want := []string{"admin", "telemetry.logs.format", "telemetry.traces"}
		if !slices.Equal(c.Waiting, want) || !slices.Equal(s.Status().Config.Waiting, want) {
			t.Errorf("waiting: %v, in status %v; want %v", c.Waiting, s.Status().Config.Waiting, want)
		}
		if level := s.level.Level(); level != slog.LevelDebug {
			t.Errorf("the log level needs no restart, and is %v, want debug", level)
		}
		if c := s.reload(yaml("", "orders")); c.Waiting != nil || s.level.Level() != slog.LevelInfo {
			t.Errorf("back as it was, and still waiting: %v, at level %v", c.Waiting, s.level.Level())
		}
	})
}

func TestTopology(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, yaml("", "orders"))
		settle()
		want := gateway.Topology{
			Brokers: []gateway.Node{
				{Name: "eu", Type: configs.RabbitMQ, VHost: "/", URIs: []string{"amqp://eu"}},
				{Name: "us", Type: configs.RabbitMQ, VHost: "/", URIs: []string{"amqp://us"}},
			},
			Links: []gateway.Edge{{Name: "orders", Kind: link.Shovel, State: link.Idle, From: "eu", To: []string{"us"}}},
		}
		if d := cmp.Diff(want, s.Topology()); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
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
