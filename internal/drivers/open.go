// Package drivers picks the driver of each declared broker. It is the one place that knows them all.
//
//	open.go  the switch, and what each driver is told
//	tls.go   certificates, read again at each connection
package drivers

import (
	"context"
	"fmt"
	"log/slog"

	"weir/broker"
	"weir/broker/amqp"
	"weir/broker/embedded"
	"weir/broker/jetstream"
	"weir/configs"
	"weir/internal/brokers"
)

// Open is a brokers.Open. version is weir's own, which brokers show of their connections.
func Open(version string) brokers.Open {
	return func(ctx context.Context, d brokers.Declared, log *slog.Logger) (broker.Broker, func(), error) {
		switch d.Type {
		case configs.RabbitMQ:
			b := amqp.New(rabbit(d, version), log)
			return b, b.Close, nil
		case configs.NATS:
			b := jetstream.New(nats(d), log)
			return b, b.Close, nil
		case configs.Embedded:
			return openEmbedded(ctx, d, log)
		}
		return nil, nil, fmt.Errorf("type %q has no driver", d.Type)
	}
}

func rabbit(d brokers.Declared, version string) amqp.Config {
	c := amqp.Config{
		Name:        d.Name,
		URIs:        d.URIs,
		VHost:       d.VHost,
		Credentials: credentials(d.Username, d.ReadPassword),
		Mechanism:   amqp.Mechanism(d.AuthMechanism),
		TLS:         tlsConfig(d.TLS),
		Heartbeat:   d.Heartbeat,
		ClusterName: d.ClusterName,
		Version:     version,
	}
	if m := d.Management; m != nil {
		c.Management = amqp.Management{URIs: m.URIs, Credentials: credentials(m.Username, m.ReadPassword)}
	}
	return c
}

func nats(d brokers.Declared) jetstream.Config {
	c := jetstream.Config{
		Name:           d.Name,
		URIs:           d.URIs,
		CredsFile:      d.CredsFile,
		NKeyFile:       d.NKeyFile,
		TLS:            tlsConfig(d.TLS),
		Domain:         d.Domain,
		ClusterName:    d.ClusterName,
		SubjectPrefix:  d.SubjectPrefix,
		VHost:          d.VHost,
		ConfirmTimeout: d.ConfirmTimeout,
		Streams: jetstream.Streams{
			Replicas:        d.Streams.Replicas,
			Storage:         string(d.Streams.Storage),
			MaxBytes:        int64(d.Streams.MaxBytes),
			DuplicateWindow: d.Streams.DuplicateWindow,
		},
	}
	if d.Username != "" {
		c.Credentials = credentials(d.Username, d.ReadPassword)
	}
	if d.TokenFile != "" {
		c.Token = d.ReadToken
	}
	return c
}

// openEmbedded starts the nodes that are in this process, and reaches them without a socket.
func openEmbedded(ctx context.Context, d brokers.Declared, log *slog.Logger) (broker.Broker, func(), error) {
	server, err := embedded.Start(ctx, nodes(d), log)
	if err != nil {
		return nil, nil, err
	}
	c := nats(d)
	c.InProcess = server
	if len(d.Users) > 0 {
		c.Credentials = server.Credentials
	}
	b := jetstream.New(c, log)
	return b, func() {
		b.Close()
		server.Shutdown()
	}, nil
}

func nodes(d brokers.Declared) embedded.Config {
	c := embedded.Config{
		Name:     d.Name,
		Nodes:    d.Nodes,
		DataDir:  d.DataDir,
		Listen:   d.Listen,
		Unsynced: !d.SyncAlways,
		Domain:   d.Domain,
	}
	for _, u := range d.Users {
		c.Users = append(c.Users, embedded.User{Username: u.Username, Password: u.ReadPassword})
	}
	if k := d.Cluster; k != nil {
		c.Cluster = &embedded.Cluster{Name: k.Name, Listen: k.Listen, Routes: k.Routes}
		if k.SecretFile != "" {
			c.Cluster.Secret = k.ReadSecret
		}
	}
	return c
}

// credentials reads the password at each login, so that one that has been rotated is used.
func credentials(username string, password func() (string, error)) func() (string, string, error) {
	return func() (string, string, error) {
		secret, err := password()
		return username, secret, err
	}
}
