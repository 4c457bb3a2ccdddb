package configs

import "time"

// BrokerType is the kind of messaging system.
type BrokerType string

// The types of brokers.
const (
	RabbitMQ BrokerType = "rabbitmq" // RabbitMQ, or any broker of AMQP 0-9-1
	NATS     BrokerType = "nats"     // NATS with JetStream
	Embedded BrokerType = "embedded" // NATS JetStream in this process
)

func (BrokerType) words() []string { return []string{"rabbitmq", "nats", "embedded"} }

// AuthMechanism is how weir proves who it is to an AMQP broker.
type AuthMechanism string

// The SASL mechanisms.
const (
	Plain    AuthMechanism = "plain"    // username and password
	External AuthMechanism = "external" // the client certificate
)

func (AuthMechanism) words() []string { return []string{"plain", "external"} }

// Broker is one cluster. Keys that a type does not have are zero.
type Broker struct {
	Name string     `yaml:"-"` // its key in Config.Brokers
	Type BrokerType `yaml:"type" jsonschema:"required"`
	// URIs are the nodes of one cluster, without credentials and paths. An embedded broker has none.
	URIs []string `yaml:"uris" on:"rabbitmq,nats"`
	// VHost is the virtual host; on NATS any other than "/" becomes a token of the subject.
	VHost string `yaml:"vhost"`
	// ClusterName stands for this broker in hop lists. On RabbitMQ it is empty unless given: the broker's own word
	// counts. On NATS it is never empty: the site for the local broker, the name of the broker for others.
	ClusterName string `yaml:"cluster-name"`

	Username string `yaml:"username" on:"rabbitmq,nats"`
	// Password is the password in the file; ReadPassword knows both ways to give one.
	Password      Secret        `yaml:"password" on:"rabbitmq,nats"`
	PasswordFile  string        `yaml:"password-file" on:"rabbitmq,nats" file:"true"`
	AuthMechanism AuthMechanism `yaml:"auth-mechanism" on:"rabbitmq"`
	// CredsFile, NKeyFile and TokenFile are NATS's other ways to log in: user credentials, the seed of an nkey, a token.
	CredsFile string `yaml:"creds-file" on:"nats" file:"true"`
	NKeyFile  string `yaml:"nkey-file" on:"nats" file:"true"`
	TokenFile string `yaml:"token-file" on:"nats" file:"true"`
	TLS       *TLS   `yaml:"tls" on:"rabbitmq,nats"` // nil: what the scheme of the uris asks for, with the system's roots

	Heartbeat  time.Duration `yaml:"heartbeat" on:"rabbitmq" unit:"s" least:"1s"`
	Management *Management   `yaml:"management" on:"rabbitmq"` // nil: no management API

	// Domain is the JetStream domain; SubjectPrefix goes in front of the subjects of exchanges and queues.
	Domain        string `yaml:"domain" on:"nats,embedded"`
	SubjectPrefix string `yaml:"subject-prefix" on:"nats,embedded"`
	// Streams says how streams are made that do not exist yet.
	Streams Streams `yaml:"streams" on:"nats,embedded"`

	EmbeddedNodes `yaml:",inline"`
}

// ReadPassword returns the password. It reads the password file at each call, so that a reconnect picks up a rotated
// one; the error is that of reading it. Without either the password is empty.
func (b Broker) ReadPassword() (string, error) { return readSecret(b.Password, b.PasswordFile) }

// ReadToken returns the NATS token of the token file, read at each call; it is empty without one.
func (b Broker) ReadToken() (string, error) { return readSecret(Secret{}, b.TokenFile) }

// TLS says whom to trust and what to show. Empty parts keep Go's defaults: the system's roots, the host of the uri.
type TLS struct {
	CAFile     string `yaml:"ca-file" file:"true"`
	CertFile   string `yaml:"cert-file" file:"true"`
	KeyFile    string `yaml:"key-file" file:"true"`
	ServerName string `yaml:"server-name"`
}

// Management is RabbitMQ's HTTP API: bindings, policies and the age of messages cannot be had without it.
type Management struct {
	URIs []string `yaml:"uris" jsonschema:"required"`
	// Username and the password are the broker's own where none are given.
	Username     string `yaml:"username"`
	Password     Secret `yaml:"password"`
	PasswordFile string `yaml:"password-file" file:"true"`
}

// ReadPassword is Broker.ReadPassword for the HTTP API.
func (m Management) ReadPassword() (string, error) { return readSecret(m.Password, m.PasswordFile) }

// Storage is where a stream keeps its messages.
type Storage string

// The storages of JetStream.
const (
	FileStorage   Storage = "file"
	MemoryStorage Storage = "memory"
)

func (Storage) words() []string { return []string{"file", "memory"} }

// Streams are the settings of streams that weir creates; streams that exist are used as they are.
type Streams struct {
	// Replicas is 1, 3 or 5. Where it is not given it is 3 for a cluster of at least three known nodes, else 1.
	Replicas        int           `yaml:"replicas" jsonschema:"minimum=1,maximum=5"`
	Storage         Storage       `yaml:"storage"`
	MaxBytes        Size          `yaml:"max-bytes"`
	DuplicateWindow time.Duration `yaml:"duplicate-window" least:"100ms"`
}
