package telemetry_test

import (
	"context"
	"testing"

	"weir/configs"
	"weir/internal/drivers"
	"weir/internal/gateway"
	"weir/internal/telemetry"
)

// running is a gateway with its telemetry.
type running struct {
	*gateway.Gateway
	telemetry *telemetry.Telemetry
}

// runGateway runs a configuration until the test ends.
func runGateway(t *testing.T, config string) running {
	t.Helper()
	cfg, warnings, err := configs.Parse("weir.yaml", []byte(config), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	tele, err := telemetry.New(t.Context(), cfg, telemetry.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	g, err := gateway.Start(ctx, cfg, warnings, gateway.Options{Open: drivers.Open("test"), Log: quiet, Observe: tele.Observe})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%+v", g.Status())
		}
		stop()
		g.Wait()
		if err := tele.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return running{g, tele}
}
