package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/broker/embedded"
)

// natsServer is a NATS server in this process, with a client's connection to it.
type natsServer struct {
	server  *embedded.Server
	address string // for weir.yaml
	conn    *nats.Conn
	billing jetstream.Consumer
}

// startNATS starts a server with JetStream, and declares the stream ORDERS with the consumer of this example.
func startNATS(ctx context.Context) (n *natsServer, err error) {
	n = new(natsServer)
	if n.server, err = embedded.Start(ctx, embedded.Config{Name: "nats"}, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	n.address = n.server.ClientURL()
	fmt.Printf("  NATS at %s\n", n.address)
	if err := n.declare(ctx); err != nil {
		n.stop()
		return nil, err
	}
	return n, nil
}

func (n *natsServer) declare(ctx context.Context) (err error) {
	if n.conn, err = nats.Connect(n.address); err != nil {
		return err
	}
	js, err := jetstream.New(n.conn)
	if err != nil {
		return err
	}
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	if err != nil {
		return err
	}
	n.billing, err = stream.CreateConsumer(ctx, jetstream.ConsumerConfig{Durable: "billing", AckPolicy: jetstream.AckExplicitPolicy})
	return err
}

func (n *natsServer) stop() {
	if n.conn != nil {
		n.conn.Close()
	}
	n.server.Shutdown()
}

// read takes count messages from the stream.
func (n *natsServer) read(ctx context.Context, count int) ([]*nats.Msg, error) {
	messages, err := n.billing.Messages()
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	var all []*nats.Msg
	for len(all) < count {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("%d of %d orders came: %w", len(all), count, err)
		}
		if err := m.Ack(); err != nil {
			return nil, err
		}
		all = append(all, &nats.Msg{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
	}
	return all, nil
}

// shown is a message as `nats stream get` would show it.
func shown(m *nats.Msg) string {
	var s strings.Builder
	fmt.Fprintf(&s, "    subject %s\n", m.Subject)
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		fmt.Fprintf(&s, "    %s: %s\n", name, m.Header.Get(name))
	}
	fmt.Fprintf(&s, "    %s\n", m.Data)
	return s.String()
}
