package jetstream

import (
	"crypto/tls"
	"time"

	"github.com/nats-io/nats.go"
)

// Config says how a NATS system is reached and what is created on it. It is plain data; secrets are functions and paths
// that are read again at each dial, so that they can be changed while weir runs.
type Config struct {
	// Name is what logs and errors call this broker.
	Name string
	// URIs are the servers of one cluster (nats://, tls://), tried in random order. Default nats://127.0.0.1:4222.
	URIs []string
	// InProcess, if set, is dialled instead of URIs (an embedded server).
	InProcess nats.InProcessConnProvider

	// At most one way to log in: user name and password, a token, a file with a user's JWT and seed (creds), or one with
	// a seed alone (nkey).
	Credentials func() (username, password string, err error)
	Token       func() (string, error)
	CredsFile   string
	NKeyFile    string
	// TLS, if set, makes TLS required of every server. Its certificates are for mutual TLS.
	TLS func() (*tls.Config, error)

	// Domain is the JetStream domain to work in, empty for the one the servers are in.
	Domain string
	// ClusterName is what hops call this broker; empty: what the server says of its cluster, else Name.
	ClusterName string
	// SubjectPrefix goes in front of every subject made of RabbitMQ's words. VHost, unless empty or "/", adds a token.
	SubjectPrefix, VHost string

	// Streams is how what is missing is created.
	Streams Streams
	// ConfirmTimeout is how long a link waits for an answer. The ack wait of created consumers is twice as long, and at
	// least 30 s. Default 30 s.
	ConfirmTimeout time.Duration
	// LinksPerConnection is how many links share a connection. Default 16.
	LinksPerConnection int
}

// Streams says how streams are created.
type Streams struct {
	// Replicas is 1, 3 or 5. Default 1.
	Replicas int
	// Storage is "file" (the default) or "memory".
	Storage string
	// MaxBytes bounds a stream; what comes when it is full is refused. 0: no bound but the server's.
	MaxBytes int64
	// DuplicateWindow is how long a stream remembers the identities of messages. 0: the server's default, 2 min.
	DuplicateWindow time.Duration
}

func (c Config) withDefaults() Config {
	if c.ConfirmTimeout <= 0 {
		c.ConfirmTimeout = 30 * time.Second
	}
	if c.LinksPerConnection <= 0 {
		c.LinksPerConnection = 16
	}
	if c.Streams.Replicas <= 0 {
		c.Streams.Replicas = 1
	}
	if c.VHost == "" {
		c.VHost = "/"
	}
	if len(c.URIs) == 0 {
		c.URIs = []string{nats.DefaultURL}
	}
	return c
}

// ackWait is that of created consumers.
func (c Config) ackWait() time.Duration { return max(2*c.ConfirmTimeout, 30*time.Second) }
