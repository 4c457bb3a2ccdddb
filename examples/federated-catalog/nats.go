package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/broker/embedded"
)

// natsServer is a region on JetStream. To weir the stream x_catalog is its exchange catalog, and a filter of a consumer on it
// is a binding. To the shop they are a stream and a consumer like any other.
type natsServer struct {
	name     string
	server   *embedded.Server
	conn     *nats.Conn
	js       jetstream.JetStream
	consumer jetstream.ConsumerConfig
	reading  jetstream.ConsumeContext

	shelf
}

// startNATS starts a server in this process, and declares the stream.
func startNATS(ctx context.Context, name string) (region, error) {
	n := &natsServer{name: name, consumer: jetstream.ConsumerConfig{Durable: "shop", AckPolicy: jetstream.AckExplicitPolicy}}
	var err error
	if n.server, err = embedded.Start(ctx, embedded.Config{Name: name}, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	if err := n.open(ctx); err != nil {
		n.stop()
		return nil, err
	}
	fmt.Printf("  %s: NATS at %s\n", name, n.server.ClientURL())
	return n, nil
}

func (n *natsServer) open(ctx context.Context) (err error) {
	if n.conn, err = nats.Connect(n.server.ClientURL()); err != nil {
		return err
	}
	if n.js, err = jetstream.New(n.conn); err != nil {
		return err
	}
	_, err = n.js.CreateStream(ctx, jetstream.StreamConfig{Name: "x_catalog", Subjects: []string{"x.catalog.>"}})
	return err
}

func (n *natsServer) stop() {
	if n.reading != nil {
		n.reading.Stop()
	}
	if n.conn != nil {
		n.conn.Close()
	}
	n.server.Shutdown()
}

func (n *natsServer) variables() map[string]string {
	return map[string]string{"AP_URI": n.server.ClientURL()}
}

func (n *natsServer) sell(ctx context.Context, kind string) error {
	n.consumer.FilterSubjects = append(n.consumer.FilterSubjects, "x.catalog.*."+kind)
	consumer, err := n.js.CreateOrUpdateConsumer(ctx, "x_catalog", n.consumer)
	if err != nil || n.reading != nil {
		return err
	}
	n.reading, err = consumer.Consume(func(m jetstream.Msg) {
		n.put(string(m.Data()))
		_ = m.Ack()
	})
	return err
}

func (n *natsServer) publish(ctx context.Context, kind string, items []string) error {
	for _, item := range items {
		if _, err := n.js.Publish(ctx, "x.catalog."+n.name+"."+kind, []byte(item)); err != nil {
			return err
		}
	}
	return nil
}
