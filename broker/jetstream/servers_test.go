package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker/embedded"
	"weir/broker/jetstream"
	"weir/tests/leaks"
)

func TestMain(m *testing.M) { leaks.Verify(m) }

const maxPayload = 9 << 20 // room for a body of 8 MiB

// system is a NATS system over real sockets: servers, one or a cluster, with users. Package embedded is not used for it
// because it has no users with permissions.
type system struct {
	servers []*server.Server
	options []server.Options
}

// startSystem starts n servers that end with the test. set may change their options.
func startSystem(t testing.TB, n int, set func(*server.Options)) *system {
	t.Helper()
	s := &system{servers: make([]*server.Server, n)}
	ports, err := embedded.FreePorts(2 * n)
	if err != nil {
		t.Fatal(err)
	}
	var routes []*url.URL
	for i := range n {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", ports[i])})
		o := server.Options{
			ServerName: fmt.Sprintf("n%d", i+1), Host: "127.0.0.1", Port: ports[n+i], NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), DisableJetStreamBanner: true, MaxPayload: maxPayload,
			AuthTimeout: patience.Seconds(), TLSTimeout: patience.Seconds(),
		}
		if n > 1 {
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]}
		}
		if set != nil {
			set(&o)
		}
		s.options = append(s.options, o)
	}
	for i := range n {
		if n > 1 {
			s.options[i].Routes = routes
		}
		s.start(t, i)
	}
	t.Cleanup(func() {
		for i := range n {
			s.stop(i)
		}
	})
	s.ready(t)
	return s
}

func (s *system) start(t testing.TB, i int) {
	t.Helper()
	o := s.options[i]
	n, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	n.Start()
	if !n.ReadyForConnections(patience) {
		t.Fatalf("server %d does not listen", i)
	}
	s.servers[i] = n
}

func (s *system) stop(i int) {
	if n := s.servers[i]; n != nil {
		n.Shutdown()
		n.WaitForShutdown()
		s.servers[i] = nil
	}
}

// ready waits until all servers agree on a leader.
func (s *system) ready(t testing.TB) {
	t.Helper()
	if len(s.servers) == 1 {
		return
	}
	eventually(t, "a leader", func() bool {
		led := false
		for _, n := range s.servers {
			if n == nil || !n.JetStreamIsCurrent() {
				return false
			}
			led = led || n.JetStreamIsLeader() && len(n.JetStreamClusterPeers()) == len(s.servers)
		}
		return led
	})
}

func (s *system) urls() (urls []string) {
	for _, n := range s.servers {
		if n != nil {
			urls = append(urls, n.ClientURL())
		}
	}
	return urls
}

// patience is how long a test waits for something that must happen: several elections of a leader on a busy machine.
const patience = 2 * time.Minute

// ackWait is that of consumers in a cluster that loses a node, or a leader. What a node gave away in that moment comes
// again after it; weir's own consumers have a minute.
const ackWait = 2 * time.Second

// eventually waits for a condition.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// await waits for the end of what c tells.
func await(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
	}
}

// native is a client that is not weir.
func (s *system) native(t testing.TB, o ...nats.Option) natsjs.JetStream {
	t.Helper()
	o = append([]nats.Option{nats.Timeout(patience), nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond)}, o...)
	nc, err := nats.Connect(strings.Join(s.urls(), ","), o...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// open makes a Broker of a configuration, on a part of the account that no other test uses.
func open(t testing.TB, c jetstream.Config) *jetstream.Broker {
	t.Helper()
	c.Name = "test"
	if c.SubjectPrefix == "" {
		c.SubjectPrefix = fresh("t")
	}
	b := jetstream.New(c, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(b.Close)
	return b
}

// oneServer starts a server, and makes a Broker for it and a client that is not weir.
func oneServer(t testing.TB, c jetstream.Config) (natsjs.JetStream, *jetstream.Broker) {
	t.Helper()
	s := startSystem(t, 1, nil)
	c.URIs = s.urls()
	return s.native(t), open(t, c)
}

var names atomic.Int64

// fresh is a name that no other test uses.
func fresh(kind string) string { return fmt.Sprint(kind, names.Add(1)) }

// asked makes a request until there is an answer: a cluster drops what comes while it elects a leader.
func asked(t testing.TB, request func(context.Context) error) {
	t.Helper()
	eventually(t, "answer", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err := request(ctx)
		if err != nil && !unavailable(err) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// unavailable reports whether a cluster has no leader that could say anything about a request now.
func unavailable(err error) bool {
	api, told := errors.AsType[*natsjs.APIError](err)
	return told && api.Code == 503 || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, natsjs.ErrNoStreamResponse) ||
		errors.Is(err, nats.ErrNoResponders)
}

// soon is a context for a question that is asked again: a node that is going takes some with it.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// within is a context for something that must happen.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}
