package bench

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// BenchmarkJetStream: weir beside JetStream's own sources, from a hub to a leaf node, one replica, on disk.
func BenchmarkJetStream(b *testing.B) {
	l := newLeaf(b)
	for b.Loop() {
		l.stage().compare(b, "sources", l.weir, l.sources)
	}
}

// BenchmarkJetStreamFloor: what is left for weir to gain. The thinnest loop over a client moves the same beside native
// sources: with an identity and an ack a message, as weir does and native sources do not, and with neither.
func BenchmarkJetStreamFloor(b *testing.B) {
	for name, each := range map[string]bool{"ack-and-identity-each": true, "neither": false} {
		b.Run(name, func(b *testing.B) {
			l := newLeaf(b)
			for b.Loop() {
				l.stage().compare(b, "sources", l.thin(each), l.sources)
			}
		})
	}
}

// leaf is a hub and a leaf node, each with a JetStream domain of its own, in this process: what they use is charged to
// it, and what the benchmark itself does meanwhile, which is little.
type leaf struct {
	hub, leaf *server.Server
	hubJS     jetstream.JetStream
	leafJS    jetstream.JetStream
}

func newLeaf(b *testing.B) *leaf {
	b.Helper()
	l := new(leaf)
	l.hub = serve(b, "hub", func(o *server.Options) { o.LeafNode.Host, o.LeafNode.Port = "127.0.0.1", -1 })
	remote := &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", l.leafPort(b))}
	l.leaf = serve(b, "leaf", func(o *server.Options) {
		o.LeafNode.Remotes = []*server.RemoteLeafOpts{{URLs: []*url.URL{remote}}}
	})
	l.hubJS, l.leafJS = client(b, l.hub), client(b, l.leaf)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for l.hub.NumLeafNodes() == 0 {
		<-tick.C
	}
	return l
}

func (l *leaf) leafPort(b *testing.B) int {
	b.Helper()
	v, err := l.hub.Varz(nil)
	if err != nil {
		b.Fatal(err)
	}
	return v.LeafNode.Port
}

func serve(b *testing.B, domain string, set func(*server.Options)) *server.Server {
	b.Helper()
	o := &server.Options{
		ServerName: domain, Host: "127.0.0.1", Port: -1, JetStream: true, JetStreamDomain: domain, StoreDir: b.TempDir(), NoSigs: true,
	}
	set(o)
	s, err := server.NewServer(o)
	if err != nil {
		b.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		b.Fatal("server is not ready")
	}
	b.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func client(b *testing.B, s *server.Server) jetstream.JetStream {
	b.Helper()
	nc := connect(b, s.ClientURL())
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	return js
}

func (l *leaf) stage() stage {
	return stage{messages: JetStreamMessages, fill: l.fill, arrived: l.arrived, brokers: []int{os.Getpid()}}
}

func (l *leaf) fill(b *testing.B) {
	b.Helper()
	ctx := b.Context()
	_ = l.hubJS.DeleteStream(ctx, "SRC")
	_ = l.leafJS.DeleteStream(ctx, "DST")
	if _, err := l.hubJS.CreateStream(ctx, jetstream.StreamConfig{Name: "SRC", Subjects: []string{"src.>"}}); err != nil {
		b.Fatal(err)
	}
	body := []byte(strings.Repeat("x", bodySize))
	for i := range JetStreamMessages {
		m := nats.NewMsg("src.orders")
		m.Header.Set("Customer", fmt.Sprint(i))
		m.Data = body
		if _, err := l.hubJS.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-l.hubJS.PublishAsyncComplete()
}

func (l *leaf) arrived() int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := l.leafJS.Stream(ctx, "DST")
	if err != nil {
		return 0
	}
	return int(s.CachedInfo().State.Msgs)
}

// yaml is a shovel between streams. The destination captures other subjects than the source, so that the leaf connection
// carries nothing twice.
func (l *leaf) yaml() string {
	return fmt.Sprintf(`version: 1
site: bench
local: hub
brokers:
  hub:  {type: nats, uris: [%q], domain: hub}
  leaf: {type: nats, uris: [%q], domain: leaf}
shovels:
  bench: {source: {stream: SRC, consumer: weir}, destinations: [{broker: leaf, subject: dst.orders}]}
`, l.hub.ClientURL(), l.leaf.ClientURL())
}

// weir moves into a plain stream.
func (l *leaf) weir(b *testing.B) (int, func()) {
	b.Helper()
	if _, err := l.leafJS.CreateStream(b.Context(), jetstream.StreamConfig{Name: "DST", Subjects: []string{"dst.>"}}); err != nil {
		b.Fatal(err)
	}
	return gateway(l.yaml())(b)
}

// sources makes the destination a stream that sources the other.
func (l *leaf) sources(b *testing.B) (int, func()) {
	b.Helper()
	_, err := l.leafJS.CreateStream(b.Context(), jetstream.StreamConfig{Name: "DST", Sources: []*jetstream.StreamSource{
		{Name: "SRC", External: &jetstream.ExternalStream{APIPrefix: "$JS.hub.API"}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	return 0, func() {}
}
