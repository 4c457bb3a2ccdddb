package amqp

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Ensure nodes are tried in order, the one that worked first again, and in another order after a round that failed.
func TestNodesInTurn(t *testing.T) {
	nodes := strings.Fields("amqp://a amqp://b amqp://c amqp://d amqp://e amqp://f")
	d := newDialer(Config{URIs: nodes}, slog.New(slog.DiscardHandler))
	round := func() (order []string) {
		for range nodes {
			node, turn := d.node()
			order = append(order, node)
			d.failed(turn)
			d.failed(turn) // somebody else has found out, too
		}
		return order
	}
	if got := round(); !slices.Equal(got, nodes) {
		t.Errorf("the first round is %v", got)
	}
	different := false
	for range 20 {
		got := round()
		different = different || !slices.Equal(got, nodes)
		if slices.Sort(got); !slices.Equal(got, nodes) {
			t.Fatalf("a round of %v", got)
		}
	}
	if !different {
		t.Error("never shuffled")
	}
	first, _ := d.node()
	if again, _ := d.node(); again != first {
		t.Error("changes without a failure")
	}
}

// Ensure two nodes that swallow what is sent to them, as a host does that has lost its power or a firewall that drops, leave time to
// reach the third within the 30 s that a link has to open.
func TestNodesThatSwallow(t *testing.T) {
	t.Parallel()
	third, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer third.Close()
	reached := make(chan struct{})
	go func() {
		if conn, err := third.Accept(); err == nil {
			close(reached)
			_ = conn.Close()
		}
	}()
	d := newDialer(Config{
		URIs:        []string{"amqp://" + blackHole(t), "amqp://" + blackHole(t), "amqp://" + third.Addr().String()},
		Credentials: func() (string, string, error) { return "user", "secret", nil },
	}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, _, err := d.dial(ctx, order{}); err == nil {
		t.Error("connected to nobody")
	}
	select {
	case <-reached:
	default:
		t.Error("the third node was not reached")
	}
}

// blackHole is an address where connections are neither taken nor refused: its queue of them is full.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	check(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check(t, unix.Listen(fd, 0))
	name, err := unix.Getsockname(fd)
	check(t, err)
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*unix.SockaddrInet4).Port}).String()
	for range 10 {
		conn, err := net.DialTimeout("tcp", address, 500*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("no end to the connections that the kernel takes")
	return ""
}

// Ensure a node is called by its host and port, also where its URI has none.
func TestEndpoint(t *testing.T) {
	for uri, want := range map[string]string{
		"amqp://host": "host:5672", "amqps://host": "host:5671", "amqp://host:1": "host:1", "amqp://[fd00::1]": "[fd00::1]:5672",
	} {
		if _, got, err := endpoint(uri); got != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", uri, got, err, want)
		}
	}
}

// Ensure a URI is shown without anything secret.
func TestRedact(t *testing.T) {
	for uri, want := range map[string]string{
		"amqp://user:secret@host:5672/vhost?password=secret": "amqp://host:5672",
		"amqps://host":                 "amqps://host",
		"amqp://user:secret@host:port": "a malformed URI",
	} {
		if got := redact(uri); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Ensure the identity of a virtual host names it, without credentials.
func TestURI(t *testing.T) {
	for vhost, want := range map[string]string{"/": "amqp://host:5672", "shop": "amqp://host:5672/shop", "a/b": "amqp://host:5672/a%2Fb"} {
		b := New(Config{URIs: []string{"amqp://user:secret@host:5672?x=y"}, VHost: vhost}, slog.New(slog.DiscardHandler))
		if got := b.uri(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		b.Close()
	}
}
