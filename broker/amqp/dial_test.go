package amqp

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
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
