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
	log := slog.New(slog.DiscardHandler)
	server, err := embedded.Start(t.Context(), embedded.Config{Name: "eu", DataDir: t.TempDir(), Unsynced: true}, log)
	must(t, err)
	t.Cleanup(server.Shutdown)
	nc, err := nats.Connect(server.ClientURL())
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
	eu := jetstream.New(jetstream.Config{Name: "eu", URIs: []string{server.ClientURL()}}, log)
	t.Cleanup(eu.Close)
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
