package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/internal/gateway"
	"weir/link"
)

// A move takes what was there when it began, not what comes later, and declares nothing.
func TestMoveTakesWhatWasThere(t *testing.T) {
	moving(t, func(t *testing.T, s *site, cfg *configs.Config, o gateway.MoveOrder) {
		m, err := gateway.NewMove(t.Context(), cfg, o, s.open, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s.eu.Put("orders", "late")
		moved, err := m.Run(t.Context(), func(link.Status) {})
		if err != nil || moved != 3 {
			t.Errorf("moved %d, %v", moved, err)
		}
		expectBodies(t, s.us, "orders", "one", "two", "three")
		expectBodies(t, s.eu, "orders", "late")
	})
}

// Somebody else consumes the rest: the move ends, instead of waiting for what will not come.
func TestMoveEndsWhenOthersConsumeTheRest(t *testing.T) {
	moving(t, func(t *testing.T, s *site, cfg *configs.Config, o gateway.MoveOrder) {
		m, err := gateway.NewMove(t.Context(), cfg, o, s.open, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s.eu.Take("orders", 2)
		moved, err := m.Run(t.Context(), func(link.Status) {})
		if !errors.Is(err, gateway.ErrDrained) || moved != 1 {
			t.Errorf("moved %d, %v; want 1, ErrDrained", moved, err)
		}
	})
}

// One message a second: the link looks idle in between, and is not.
func TestMoveAtALowRateGoesOn(t *testing.T) {
	moving(t, func(t *testing.T, s *site, cfg *configs.Config, o gateway.MoveOrder) {
		o.Rate = 0.1
		m, err := gateway.NewMove(t.Context(), cfg, o, s.open, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if moved, err := m.Run(t.Context(), func(link.Status) {}); err != nil || moved != 3 {
			t.Errorf("moved %d, %v", moved, err)
		}
	})
}

// An interrupted move brings over what is in flight, and leaves the rest.
func TestMoveIsInterrupted(t *testing.T) {
	moving(t, func(t *testing.T, s *site, cfg *configs.Config, o gateway.MoveOrder) {
		for i := range 997 {
			s.eu.Put("orders", fmt.Sprint(i))
		}
		s.us.Latency(time.Second)
		m, err := gateway.NewMove(t.Context(), cfg, o, s.open, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		moved, err := m.Run(ctx, func(link.Status) {})
		if !errors.Is(err, context.DeadlineExceeded) || moved == 0 || moved == 1000 {
			t.Errorf("moved %d, %v; want some of 1000, and why not all", moved, err)
		}
		left, there := len(s.eu.Bodies("orders")), len(s.us.Bodies("orders"))
		if there != int(moved) || left+there != 1000 {
			t.Errorf("it says that it moved %d; %d are there, and %d are left of 1000", moved, there, left)
		}
	})
}

func TestMoveStopsAtWhatIsNotTaken(t *testing.T) {
	moving(t, func(t *testing.T, s *site, cfg *configs.Config, o gateway.MoveOrder) {
		s.us.Refuse(func(m *broker.Message) error {
			if string(m.Body) == "two" {
				return broker.ErrRefused
			}
			return nil
		})
		m, err := gateway.NewMove(t.Context(), cfg, o, s.open, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		moved, err := m.Run(t.Context(), func(link.Status) {})
		left, there := s.eu.Bodies("orders"), s.us.Bodies("orders")
		if !errors.Is(err, gateway.ErrPaused) || int(moved) != len(there) {
			t.Errorf("it says that it moved %d, and %v are there; %v, want ErrPaused", moved, there, err)
		}
		if len(left)+len(there) != 3 || !slices.Contains(left, "two") {
			t.Errorf("%v are there and %v are left of three", there, left)
		}
	})
}

func TestMoveOfWhatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *site, o *gateway.MoveOrder)
		want   error
	}{
		"no such queue":        {func(_ *site, o *gateway.MoveOrder) { o.From.Queue = "nothing" }, broker.ErrNotFound},
		"no such destination":  {func(_ *site, o *gateway.MoveOrder) { o.To.Queue = "nothing" }, broker.ErrNotFound},
		"no permission":        {func(s *site, _ *gateway.MoveOrder) { s.us.Deny("orders") }, broker.ErrDenied},
		"a broker is away":     {func(s *site, _ *gateway.MoveOrder) { s.eu.Silent() }, gateway.ErrUnreachable},
		"the length is hidden": {func(s *site, _ *gateway.MoveOrder) { s.eu.HideDepth(true) }, gateway.ErrLengthUnknown},
		"embedded":             {func(_ *site, o *gateway.MoveOrder) { o.To.Broker = "in" }, broker.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			moving(t, func(t *testing.T, s *site, cfg *configs.Config, o gateway.MoveOrder) {
				c.change(s, &o)
				if _, err := gateway.NewMove(t.Context(), cfg, o, s.open, slog.New(slog.DiscardHandler)); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			})
		})
	}
}

// moving has three messages at eu, and an order to move them to us.
func moving(t *testing.T, test func(t *testing.T, s *site, cfg *configs.Config, o gateway.MoveOrder)) {
	synctest.Test(t, func(t *testing.T) {
		cfg, _, err := configs.Parse("weir.yaml", []byte(yaml("")+"  in: {source: {broker: eu, queue: a}, destinations: [{broker: us, queue: b}]}\n"), os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Brokers["in"] = configs.Broker{Name: "in", Type: configs.Embedded}
		s := &site{t: t, eu: memory.New("eu"), us: memory.New("us")}
		s.eu.Declare("orders", memory.Queue{})
		s.us.Declare("orders", memory.Queue{})
		s.eu.Put("orders", "one", "two", "three")
		test(t, s, cfg, gateway.MoveOrder{
			From: configs.Source{Broker: "eu", Queue: "orders"},
			To:   configs.Destination{Broker: "us", Queue: "orders"},
		})
	})
}

func expectLines(t *testing.T, got, want []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
