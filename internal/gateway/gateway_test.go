package gateway_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/broker/memory"
	"weir/configs"
	"weir/internal/gateway"
	"weir/link"
	"weir/tests/leaks"
)

func TestMain(m *testing.M) { leaks.Verify(m) }

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
