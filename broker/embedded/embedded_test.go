package embedded_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/broker/embedded"
	"weir/tests/leaks"
)

func TestMain(m *testing.M) { leaks.Verify(m) }

// patience is for what must happen, on a machine that has more to do than it can.
const patience = 2 * time.Minute

func start(t *testing.T, c embedded.Config) *embedded.Server {
	t.Helper()
	c.Name = "test"
	s, err := embedded.Start(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func connect(t *testing.T, url string, o ...nats.Option) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url, append(o, nats.Timeout(patience))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// answered makes a request until there is an answer: right after a start, or the loss of a node, there may be no leader.
func answered(t *testing.T, request func(context.Context) error) {
	t.Helper()
	all, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		try, done := context.WithTimeout(all, 5*time.Second)
		err := request(try)
		done()
		if err == nil {
			tick.Stop()
			return
		}
		if all.Err() != nil {
			t.Fatal(err)
		}
	}
}

func create(t *testing.T, js jetstream.JetStream, replicas int) {
	t.Helper()
	answered(t, func(ctx context.Context) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Replicas: replicas})
		return err
	})
}

// publish stores n messages, each once, however often it is sent.
func publish(t *testing.T, js jetstream.JetStream, n int) {
	t.Helper()
	for i := range n {
		id := jetstream.WithMsgID(rand.Text())
		answered(t, func(ctx context.Context) error {
			_, err := js.Publish(ctx, "orders.new", fmt.Append(nil, i), id)
			return err
		})
	}
}

func stored(t *testing.T, js jetstream.JetStream) (n uint64) {
	t.Helper()
	answered(t, func(ctx context.Context) error {
		s, err := js.Stream(ctx, "ORDERS")
		if err == nil {
			n = s.CachedInfo().State.Msgs
		}
		return err
	})
	return n
}

// Ensure what was stored is there after a restart, over TCP and within the process.
func TestOneNodeKeepsItsData(t *testing.T) {
	dir := t.TempDir()
	s := start(t, embedded.Config{DataDir: dir})
	js := connect(t, s.ClientURL())
	create(t, js, 1)
	publish(t, js, 10)
	js.Conn().Close()
	s.Shutdown()

	s = start(t, embedded.Config{DataDir: dir})
	if n := stored(t, connect(t, "", nats.InProcessServer(s))); n != 10 {
		t.Errorf("%d messages after a restart, want 10", n)
	}
}

// Ensure two brokers never share a folder, which would damage what they store.
func TestDataDirIsUsedOnce(t *testing.T) {
	c := embedded.Config{DataDir: t.TempDir(), Name: "eu"}
	first := start(t, c)
	log := slog.New(slog.DiscardHandler)
	if _, err := embedded.Start(t.Context(), c, log); !errors.Is(err, embedded.ErrInUse) || !strings.Contains(err.Error(), c.DataDir) {
		t.Errorf("got %v, want ErrInUse and the folder", err)
	}
	first.Shutdown()
	start(t, c)
}

// Ensure a cluster of three goes on without one of its nodes and takes it back.
func TestThreeNodesSurviveTheLossOfOne(t *testing.T) {
	s := start(t, embedded.Config{Nodes: 3})
	js := connect(t, "", nats.InProcessServer(s))
	create(t, js, 3)
	publish(t, js, 10)
	js.Conn().Close()

	s.StopNode(0)
	js = connect(t, "", nats.InProcessServer(s))
	publish(t, js, 10)
	if err := s.StartNode(0); err != nil {
		t.Fatal(err)
	}
	answered(t, s.Ready)
	if n := stored(t, js); n != 20 {
		t.Errorf("%d messages, want 20", n)
	}
}

// Ensure three processes, each with one node, form a cluster, and that a node starts before the others are there.
func TestClusterAcrossHosts(t *testing.T) {
	routes := freeAddresses(t, 3)
	secret := func() (string, error) { return "routes", nil }
	var nodes []*embedded.Server
	for _, listen := range routes {
		nodes = append(nodes, start(t, embedded.Config{Cluster: &embedded.Cluster{Name: "spread", Listen: listen, Routes: routes, Secret: secret}}))
	}
	js := connect(t, nodes[0].ClientURL())
	create(t, js, 3)
	publish(t, js, 10)
	if n := stored(t, connect(t, nodes[2].ClientURL())); n != 10 {
		t.Errorf("%d messages seen by another node, want 10", n)
	}
}

// Ensure a node that listens on all addresses of its host has a name of its own: with that of another it would not be let
// into the cluster.
func TestNodesOfHostsHaveNamesOfTheirOwn(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	routes := freeAddresses(t, 3)
	_, port, _ := net.SplitHostPort(routes[0])
	secret := func() (string, error) { return "routes", nil }
	s := start(t, embedded.Config{Cluster: &embedded.Cluster{Name: "spread", Listen: "0.0.0.0:" + port, Routes: routes[1:], Secret: secret}})
	nc := connect(t, "", nats.InProcessServer(s)).Conn()
	if name := nc.ConnectedServerName(); !strings.Contains(name, strings.ReplaceAll(host, ".", "-")) || !strings.HasSuffix(name, port) {
		t.Errorf("node %s does not say that it is on host %s, port %s", name, host, port)
	}
}

// Ensure that with users nobody else gets in, but this process does.
func TestUsers(t *testing.T) {
	s := start(t, embedded.Config{Users: []embedded.User{{Username: "orders", Password: func() (string, error) { return "secret", nil }}}})
	if _, err := nats.Connect(s.ClientURL(), nats.Timeout(patience)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without a password: %v", err)
	}
	create(t, connect(t, s.ClientURL(), nats.UserInfo("orders", "secret")), 1)
	username, password, _ := s.Credentials()
	publish(t, connect(t, "", nats.InProcessServer(s), nats.UserInfo(username, password)), 1)
}

// Ensure what everybody may use is not offered to other hosts.
func TestExposed(t *testing.T) {
	for name, c := range map[string]embedded.Config{
		"clients":         {Listen: "0.0.0.0:4222"},
		"clients by name": {Listen: "gateway.example:4222"},
		"nodes":           {Cluster: &embedded.Cluster{Name: "spread", Listen: "[::]:6222"}},
	} {
		c.Name = "test"
		if _, err := embedded.Start(t.Context(), c, slog.New(slog.DiscardHandler)); !errors.Is(err, embedded.ErrExposed) {
			t.Errorf("%s: got %v, want ErrExposed", name, err)
		}
	}
}

// Ensure a port that is taken is told at once, and in the server's words.
func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = embedded.Start(t.Context(), embedded.Config{Name: "test", Listen: l.Addr().String()}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v, want that the address is in use", err)
	}
}

// Ensure no outgoing connection takes a port before its server listens: systems give these ports from 32768 on.
func TestFreePorts(t *testing.T) {
	ports, err := embedded.FreePorts(200)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ports)
	if len(slices.Compact(ports)) != 200 || ports[199] >= 32768 {
		t.Errorf("got %v, want 200 different ports below 32768", ports)
	}
}

// Ensure any name of a broker will do.
func TestNames(t *testing.T) {
	s, err := embedded.Start(t.Context(), embedded.Config{Name: "eu west.1/ö", Nodes: 3}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.Shutdown()
}

// freeAddresses are addresses on loopback that nobody listens on.
func freeAddresses(t *testing.T, n int) (addresses []string) {
	t.Helper()
	ports, err := embedded.FreePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range ports {
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return addresses
}
