package configs

// EmbeddedNodes are the keys of a broker that runs in this process: all nodes of a cluster (nodes), or one node of a
// cluster that spans hosts (cluster).
type EmbeddedNodes struct {
	// Nodes is 1 or 3.
	Nodes int `yaml:"nodes" on:"embedded"`
	// DataDir holds the streams, a folder a node.
	DataDir string `yaml:"data-dir" on:"embedded" file:"true"`
	// Listen is where other clients reach the first node, host:port; empty for none.
	Listen string `yaml:"listen" on:"embedded"`
	// Users may log in at Listen; without any, everybody may.
	Users []User `yaml:"users" on:"embedded"`
	// Cluster makes this process one node of a cluster across hosts; nil for a cluster of its own.
	Cluster *Cluster `yaml:"cluster" on:"embedded"`
	// SyncAlways writes each message to the disk before it is confirmed.
	SyncAlways bool `yaml:"sync-always" on:"embedded"`
}

// User may log in to an embedded broker.
type User struct {
	Username     string `yaml:"username" jsonschema:"required"`
	Password     Secret `yaml:"password"`
	PasswordFile string `yaml:"password-file" file:"true"`
}

// ReadPassword is Broker.ReadPassword for this user.
func (u User) ReadPassword() (string, error) { return readSecret(u.Password, u.PasswordFile) }

// Cluster is how the nodes of an embedded cluster on several hosts find and trust each other.
type Cluster struct {
	Name string `yaml:"name" jsonschema:"required"`
	// Size is the number of nodes, 3 or 5.
	Size int `yaml:"size" jsonschema:"minimum=3,maximum=5"`
	// Listen is where the other nodes reach this one, host:port.
	Listen string `yaml:"listen" jsonschema:"required"`
	// Routes are the other nodes' Listen, host:port; this node's own may be among them.
	Routes []string `yaml:"routes" jsonschema:"required"`
	// SecretFile holds the password that the nodes share.
	SecretFile string `yaml:"secret-file" file:"true"`
}

// ReadSecret returns the password of the routes, read at each call; it is empty without a file.
func (c Cluster) ReadSecret() (string, error) { return readSecret(Secret{}, c.SecretFile) }
