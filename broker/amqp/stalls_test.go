package amqp

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/brokertest"
	awaits "weir/tests/await"
	"weir/tests/lab"
)

// Ensure that what has nowhere to go is never taken for confirmed, also when nobody has listened for so long that amqp091-go
// drops what the broker returns: a process that is stopped for a while, a machine that is suspended.
func TestNoReturnIsMissedByAProcessThatStoodStill(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	proxy := brokertest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", v.Broker.Nodes[0].AMQP))
	b := New(Config{
		Name: "lab", URIs: []string{"amqp://" + proxy.Addr()}, VHost: v.Name,
		Credentials: func() (string, string, error) { return v.Username, v.Password, nil },
	}, slog.New(slog.DiscardHandler))
	t.Cleanup(b.Close)
	opened, err := b.OpenSink(t.Context(), broker.Address{}, broker.SinkOptions{Link: "link"})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	proxy.Hold()
	var confirms []broker.Confirm
	for n := range 300 {
		c, err := opened.Send(t.Context(), &broker.Message{RoutingKey: "nowhere", Body: fmt.Append(nil, n)})
		if err != nil {
			t.Fatal(err)
		}
		confirms = append(confirms, c)
	}
	s := opened.(*sink)
	s.inFlight.mu.Lock() // its watch cannot go on
	proxy.Release()
	awaits.That(t, time.Minute, "kept waiting for so long that it drops one", func() bool { return s.conn.wire.stalls.busy() > 6*time.Second })
	s.inFlight.mu.Unlock()
	for n, c := range confirms {
		select {
		case <-c.Done():
		case <-time.After(time.Minute):
			t.Fatalf("no answer to message %d", n)
		}
		if err := c.Err(); !errors.Is(err, broker.ErrUnroutable) && !errors.Is(err, broker.ErrLost) {
			t.Errorf("message %d: %v", n, err)
		}
	}
}
