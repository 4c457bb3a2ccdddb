package configs

import "time"

// QueueType is the type of a queue that weir declares.
type QueueType string

// The queue types of RabbitMQ that a buffer can have.
const (
	Classic QueueType = "classic"
	Quorum  QueueType = "quorum"
)

func (QueueType) words() []string { return []string{"classic", "quorum"} }

// Upstream is where federated messages come from: RabbitMQ's federation-upstream, with a broker in place of a uri.
type Upstream struct {
	Name             string `yaml:"-"` // its key in Config.Upstreams
	Broker           string `yaml:"broker" jsonschema:"required"`
	UpstreamSettings `yaml:",inline"`
}

// UpstreamSettings are what an upstream says and a member of an upstream set may say differently.
type UpstreamSettings struct {
	// Exchange and Queue are the names at the upstream; empty for the name of the federated one.
	Exchange string `yaml:"exchange"`
	Queue    string `yaml:"queue"`
	// PrefetchCount is the window; 0 is automatic.
	PrefetchCount int     `yaml:"prefetch-count" jsonschema:"minimum=1,maximum=65535"`
	AckMode       AckMode `yaml:"ack-mode"`
	// TrustUserID keeps the user-id property.
	TrustUserID bool `yaml:"trust-user-id"`
	// MaxHops is how many links a message may cross before it stays where it is.
	MaxHops int `yaml:"max-hops" jsonschema:"minimum=1"`
	// Expires and MessageTTL bound the buffer while the gateway is away, and lose messages by it; 0 for not at all.
	Expires    time.Duration `yaml:"expires" unit:"ms" least:"1ms"`
	MessageTTL time.Duration `yaml:"message-ttl" unit:"ms" least:"1ms"`
	// QueueType is the type of the buffer.
	QueueType QueueType `yaml:"queue-type"`

	LinkSettings `yaml:",inline"`
}

// SetMember is an upstream as one set uses it: its settings with those of the member over them.
type SetMember struct {
	Upstream         string `yaml:"upstream" jsonschema:"required"`
	UpstreamSettings `yaml:",inline"`
}

// shorthand: a member without settings of its own is written as the name of its upstream.
func (*SetMember) shorthand() []string { return []string{"upstream"} }

// ApplyTo is what a policy looks at.
type ApplyTo string

// What policies apply to, in RabbitMQ's words.
const (
	ApplyToAll           ApplyTo = "all"
	ApplyToExchanges     ApplyTo = "exchanges"
	ApplyToQueues        ApplyTo = "queues"
	ApplyToClassicQueues ApplyTo = "classic_queues"
	ApplyToQuorumQueues  ApplyTo = "quorum_queues"
)

func (ApplyTo) words() []string {
	return []string{"all", "exchanges", "queues", "classic_queues", "quorum_queues"}
}

// Policy picks exchanges and queues of the downstream by name, and says which upstreams they are federated with.
type Policy struct {
	Name string `yaml:"-"` // its key in Config.Policies
	// Downstream is the broker whose exchanges and queues are federated.
	Downstream string `yaml:"downstream"`
	// Pattern is a regular expression (RE2), not anchored.
	Pattern string  `yaml:"pattern" jsonschema:"required"`
	ApplyTo ApplyTo `yaml:"apply-to"`
	// Priority decides between policies that match the same name: only the highest counts.
	Priority   int        `yaml:"priority"`
	Definition Definition `yaml:"definition" jsonschema:"required"`
}

// Definition names the upstreams of a policy in exactly one of three ways; Config.UpstreamsOf follows it.
type Definition struct {
	Upstream        string `yaml:"federation-upstream"`
	UpstreamSet     string `yaml:"federation-upstream-set"`
	UpstreamPattern string `yaml:"federation-upstream-pattern"`
}
