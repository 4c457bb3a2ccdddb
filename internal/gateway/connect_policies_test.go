package gateway_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"testing"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/internal/brokers"
	"weir/internal/gateway"
)

// A policy that matches nothing is mostly a slip in its pattern, and a warning: what it means may be made later.
func TestConnectTellsOfPoliciesThatMatchNothing(t *testing.T) {
	cfg, _, err := configs.Parse("weir.yaml", []byte(`site: eu
local: eu
brokers: {eu: {type: nats, uris: [nats://eu]}, us: {type: nats, uris: [nats://us]}}
upstreams: {us: {broker: us}}
policies:
  catalog: {pattern: ^catalog, apply-to: exchanges, definition: {federation-upstream: us}}
  slip:    {pattern: ^catlog, apply-to: exchanges, definition: {federation-upstream: us}}
  work:    {pattern: ^work, apply-to: queues, definition: {federation-upstream: us}}
  lower:   {pattern: log$, priority: -1, apply-to: exchanges, definition: {federation-upstream: us}}
`), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	open := func(_ context.Context, d brokers.Declared, _ *slog.Logger) (broker.Broker, func(), error) {
		b := memory.New(d.Name)
		if d.Name == "eu" {
			b.DeclareExchange("catalog", memory.Topic)
			b.Declare("work.orders", memory.Queue{})
		}
		return b, func() {}, nil
	}
	found, reached := gateway.Connect(t.Context(), "weir.yaml", cfg, open, slog.New(slog.DiscardHandler))
	var got []string
	for _, p := range found {
		got = append(got, p.String())
	}
	slices.Sort(got)
	expectLines(t, got, []string{
		"weir.yaml: warning: policies.lower: no exchange matches log$ on broker eu", // a higher one has it
		"weir.yaml: warning: policies.slip: no exchange matches ^catlog on broker eu",
	})
	if !reached {
		t.Error("not reached")
	}
}
