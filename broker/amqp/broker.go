// Package amqp is the driver for RabbitMQ, and for other brokers that speak AMQP 0-9-1.
//
// It stands on github.com/rabbitmq/amqp091-go, whose own recovery stays off: a session that has failed stays failed.
// What that library leaves to its users is done here, one idea a file: wire.go gathers writes, connection.go shares
// connections among sessions, returns.go tells which message a basic.return is about, table.go keeps the library from
// closing a connection over a header it cannot write.
//
// What AMQP does not tell (consumers by name, unacked messages, the age of the oldest, dead-letter exchanges) is read
// from the management API where one is configured, and is unknown otherwise.
package amqp

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"weir/broker"
)

// Mechanism is how the broker learns who connects (SASL).
type Mechanism string

const (
	// Plain sends user name and password. It is the default.
	Plain Mechanism = "plain"
	// External takes the user from the TLS client certificate (RabbitMQ's rabbitmq_auth_mechanism_ssl).
	External Mechanism = "external"
)

// Credentials returns a user name and a password. It is called for each connection and each request to the management
// API, so that a secret that has changed is used.
type Credentials func() (username, password string, err error)

// Config says where a broker is and how to log in.
type Config struct {
	// Name is what the configuration calls this broker; it stands in logs, and in cures that name a key.
	Name string
	// URIs are amqp or amqps URIs of the nodes of one cluster: scheme, host and port only. They are tried in order,
	// the next one on failure; after each round that failed the order is shuffled.
	URIs []string
	// VHost is the virtual host, default "/".
	VHost string
	// Credentials are needed with Plain. Nil is guest, guest.
	Credentials Credentials
	// Mechanism is Plain or External, default Plain.
	Mechanism Mechanism
	// TLS is called for each connection over amqps and https, so that a certificate that has changed is used. Nil
	// trusts what the system trusts. A config without a ServerName gets the URI's host.
	TLS func() (*tls.Config, error)
	// Heartbeat is the interval asked for, default 10 s, in whole seconds. A broker that is silent for two of them is
	// gone.
	Heartbeat time.Duration
	// Management is the management API. The zero value: there is none.
	Management Management
	// ClusterName replaces what the broker says of itself.
	ClusterName string
	// LinksPerConnection is how many sessions share a connection at most, default 16.
	LinksPerConnection int
	// Version of weir, as the broker's tools show it.
	Version string
}

// Management is where the management API is.
type Management struct {
	// URIs are base URLs (http or https) of nodes of the cluster, tried in order.
	URIs []string
	// Credentials default to those of the broker.
	Credentials Credentials
}

// Broker implements broker.Broker, Identifier, Checker, Locker, Catalog, Buffers and Disposer for one virtual host of one
// cluster. Its Sources implement broker.RoundTripper and Standing, and broker.Resizer but for streams and queues with a
// single active consumer; its Sinks broker.Blocker.
type Broker struct {
	config     Config
	log        *slog.Logger
	pool       *pool
	management *management // nil without one
	consumers  consumers
	probes     *probes
	history    history
	unfiltered unfiltered
	outage     outage
	failing    atomic.Bool // the management API failed when it was last asked

	naming  chan struct{} // cap 1: held by the one that learns what the broker is called
	cluster string        // what it says of itself, once known; of who holds naming
}

var (
	_ broker.Broker     = (*Broker)(nil)
	_ broker.Identifier = (*Broker)(nil)
	_ broker.Checker    = (*Broker)(nil)
	_ broker.Locker     = (*Broker)(nil)
	_ broker.Catalog    = (*Broker)(nil)
	_ broker.Buffers    = (*Broker)(nil)
	_ broker.Disposer   = (*Broker)(nil)
)

// New makes a Broker. It connects to nothing before something is asked of it. Close must be called after every session
// has been closed.
func New(c Config, log *slog.Logger) *Broker {
	if c.VHost == "" {
		c.VHost = "/"
	}
	if c.Mechanism == "" {
		c.Mechanism = Plain
	}
	if c.Credentials == nil {
		c.Credentials = func() (string, string, error) { return "guest", "guest", nil }
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 10 * time.Second
	}
	if c.LinksPerConnection == 0 {
		c.LinksPerConnection = 16
	}
	b := &Broker{config: c, log: log.With("broker", c.Name), naming: make(chan struct{}, 1)}
	b.pool = newPool(newDialer(c, b.log), c.LinksPerConnection)
	b.probes = newProbes(b.pool)
	b.management = newManagement(c)
	return b
}

// Close closes every connection and returns when nothing of the Broker runs any more, after a few seconds at most.
func (b *Broker) Close() {
	b.pool.close()
	if b.management != nil {
		b.management.close()
	}
}

// Identity implements broker.Identifier. It connects if the cluster's name is neither configured nor known yet.
func (b *Broker) Identity(ctx context.Context) (broker.Identity, error) {
	id := broker.Identity{Cluster: b.config.ClusterName, VHost: b.config.VHost, URI: b.uri()}
	if id.Cluster != "" {
		return id, nil
	}
	select {
	case b.naming <- struct{}{}:
		defer func() { <-b.naming }()
	case <-ctx.Done():
		return broker.Identity{}, ctx.Err()
	}
	if id.Cluster = b.cluster; id.Cluster != "" {
		return id, nil
	}
	c, err := b.pool.acquire(ctx, order{role: consuming, link: "identity"})
	if err != nil {
		return broker.Identity{}, err
	}
	defer b.pool.release(c)
	name, _ := c.amqp.Properties["cluster_name"].(string)
	if name == "" {
		return broker.Identity{}, fmt.Errorf("it does not say what its cluster is called; set cluster-name: %w", broker.ErrUnsupported)
	}
	b.cluster, id.Cluster = name, name
	return id, nil
}

// uri names the virtual host to others: the first node's URI with the vhost as its path, as AMQP URIs have it, and
// without anything secret.
func (b *Broker) uri() string {
	if len(b.config.URIs) == 0 {
		return ""
	}
	u, err := url.Parse(b.config.URIs[0])
	if err != nil {
		return ""
	}
	clean := url.URL{Scheme: u.Scheme, Host: u.Host}
	if b.config.VHost != "/" {
		clean.Path, clean.RawPath = "/"+b.config.VHost, "/"+url.PathEscape(b.config.VHost)
	}
	return clean.String()
}
