package gateway_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/configs"
	"weir/internal/gateway"
	"weir/link"
)

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

// A changed broker is closed only when the links over it have brought over what they had in flight.
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
