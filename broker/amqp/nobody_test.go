package amqp

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"

	"weir/broker"
)

// Ensure a load balancer that has no node, which takes connections and closes them, is told from wrong credentials and from a broker
// that closes.
func TestNobodyBehind(t *testing.T) {
	balancer, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer balancer.Close()
	go func() {
		for {
			conn, err := balancer.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	b := New(Config{Name: "eu", URIs: []string{"amqp://" + balancer.Addr().String()}}, slog.New(slog.DiscardHandler))
	defer b.Close()
	_, err = b.Identity(t.Context())
	if err == nil || errors.Is(err, broker.ErrDenied) || !strings.Contains(err.Error(), "before the broker said anything: a load balancer without a node") {
		t.Errorf("got %v", err)
	}
}
