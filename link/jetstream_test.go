package link_test

import (
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/embedded"
	"weir/broker/jetstream"
	"weir/link"
)

// What a stream has removed while the link was away is lost, and counted.
func TestExpiredIsCounted(t *testing.T) {
	t.Parallel()
	eu, uri := newJetStream(t)
	nc, err := nats.Connect(uri)
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	must(t, err)
	_, err = js.CreateStream(t.Context(), natsjs.StreamConfig{Name: "in", Subjects: []string{"in"}, MaxMsgs: 3})
	must(t, err)
	_, err = js.CreateStream(t.Context(), natsjs.StreamConfig{Name: "out", Subjects: []string{"out"}})
	must(t, err)
	publish := func(n int) {
		for range n {
			_, err := js.Publish(t.Context(), "in", nil)
			must(t, err)
		}
	}
	l := starts(t, link.Spec{
		Name: "in", Kind: link.Shovel, Site: "eu",
		Source:      link.Origin{Name: "eu", Broker: eu, At: broker.Address{Stream: "in", Consumer: "weir"}},
		Destination: link.To{Name: "eu", Broker: eu, At: broker.Address{Subject: "out"}},
	})
	publish(1)
	eventually(t, "one is there", func() bool { return l.Status().Counts.Confirmed == 1 })
	l.Pause("by hand")
	eventually(t, "it is paused", func() bool { return l.Status().State == link.Paused })
	publish(10)
	l.Resume()
	eventually(t, "the rest is there", func() bool { return l.Status().Counts.Confirmed == 4 })
	eventually(t, "what is lost has been counted", func() bool { return l.Status().Counts.Expired == 7 })
}

// A queue on JetStream is a work queue: a heartbeat in it is gone when the link has taken it.
func TestHeartbeatOnJetStream(t *testing.T) {
	t.Parallel()
	eu, _ := newJetStream(t)
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

// newJetStream starts a server of the test's own.
func newJetStream(t *testing.T) (b *jetstream.Broker, uri string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	server, err := embedded.Start(t.Context(), embedded.Config{Name: "eu", DataDir: t.TempDir(), Unsynced: true}, log)
	must(t, err)
	t.Cleanup(server.Shutdown)
	b = jetstream.New(jetstream.Config{Name: "eu", URIs: []string{server.ClientURL()}}, log)
	t.Cleanup(b.Close)
	return b, server.ClientURL()
}
