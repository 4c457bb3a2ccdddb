package shovel_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/embedded"
	"weir/broker/jetstream"
	"weir/link"
	"weir/shovel"
	"weir/tests/await"
)

// Ensure a shovel with single-owner can be paused, and stops, where its source is on JetStream.
func TestOwnerStopsOnJetStream(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	server, err := embedded.Start(t.Context(), embedded.Config{Name: "eu", DataDir: t.TempDir(), Unsynced: true}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	eu := jetstream.New(jetstream.Config{Name: "eu", URIs: []string{server.ClientURL()}}, log)
	t.Cleanup(eu.Close)
	find := func(string) (broker.Broker, string) { return eu, "eu" }
	specs, err := shovel.Links(parse(t, `
  single:
    source: {queue: orders}
    destinations: [{broker: us, queue: archive}]
    single-owner: true
`), find, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	group := link.NewGroup(ctx, log)
	group.Apply(specs)
	is := func(want link.State) {
		t.Helper()
		await.That(t, time.Minute, string(want), func() bool { return group.Statuses()[0].State == want })
	}
	l, _ := group.Link("single")
	is(link.Idle)
	l.Pause("maintenance")
	is(link.Paused)
	l.Resume()
	is(link.Idle)
	stop()
	stopped := make(chan struct{})
	go func() { group.Wait(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(time.Minute):
		t.Fatal("it has not stopped")
	}
}
