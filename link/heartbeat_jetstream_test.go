package link_test

import (
	"log/slog"
	"testing"

	"weir/broker"
	"weir/broker/embedded"
	"weir/broker/jetstream"
)

// A queue on JetStream is a work queue: a heartbeat in it is gone when the link has taken it.
func TestHeartbeatOnJetStream(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	server, err := embedded.Start(t.Context(), embedded.Config{Name: "eu", DataDir: t.TempDir(), Unsynced: true}, log)
	must(t, err)
	t.Cleanup(server.Shutdown)
	eu := jetstream.New(jetstream.Config{Name: "eu", URIs: []string{server.ClientURL()}}, log)
	t.Cleanup(eu.Close)
	for _, queue := range []string{"in", "out"} {
		source, err := eu.OpenSource(t.Context(), broker.Address{Queue: queue}, broker.SourceOptions{Link: "declares", Site: "eu", Window: 1})
		must(t, err)
		must(t, source.Close())
	}
	l := runs(t, "in", eu, eu)
	eventually(t, "a heartbeat is back", func() bool { return l.Status().Heartbeat.Seconds != nil })
	first := l.Status().Heartbeat.LastAt
	eventually(t, "another is back", func() bool { return l.Status().Heartbeat.LastAt.After(first) })
	eventually(t, "nothing is left at the source", func() bool {
		d, err := eu.Depth(t.Context(), broker.Address{Queue: "in"})
		must(t, err)
		return d.Ready.N == 0 && d.Unacked.N == 0
	})
	d, err := eu.Depth(t.Context(), broker.Address{Queue: "out"})
	must(t, err)
	if d.Ready != broker.Counted(0) || l.Status().Counts.Received != 0 {
		t.Errorf("%v arrived; %+v", d.Ready, l.Status().Counts)
	}
}
