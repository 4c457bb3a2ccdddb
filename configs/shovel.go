package configs

// AckMode says when the source is told that a message has been taken.
type AckMode string

// The ack modes, in RabbitMQ's words. Only OnConfirm loses nothing.
const (
	OnConfirm AckMode = "on-confirm" // after the destination has confirmed
	OnPublish AckMode = "on-publish" // after it has been sent
	NoAck     AckMode = "no-ack"     // when it is received
)

func (AckMode) words() []string { return []string{"on-confirm", "on-publish", "no-ack"} }

// Shovel is one declared link: from a queue, exchange or stream to the first destination that takes messages.
type Shovel struct {
	Name         string        `yaml:"-"` // its key in Config.Shovels
	Source       Source        `yaml:"source" jsonschema:"required"`
	Destinations []Destination `yaml:"destinations" jsonschema:"required"` // at least one, in order of preference
	// Overflow makes the shovel run only while its thresholds say so; nil: always.
	Overflow *Overflow `yaml:"overflow"`
	AckMode  AckMode   `yaml:"ack-mode"`
	// OnRefused is for messages that the destination will not store, OnUnroutable for those that reach no queue.
	OnRefused    Fallback `yaml:"on-refused"`
	OnUnroutable Fallback `yaml:"on-unroutable"`
	// MaxHops is how many links a message may cross; 0: hops are neither recorded nor limited.
	MaxHops int `yaml:"max-hops" jsonschema:"minimum=1"`
	// RateLimit bounds what one gateway sends; 0: no limit.
	RateLimit Rate `yaml:"rate-limit"`
	// DeleteAfter ends the shovel for good.
	DeleteAfter DeleteAfter `yaml:"delete-after"`
	// AddForwardHeaders and AddTimestampHeader are the defaults of the destinations.
	AddForwardHeaders  bool `yaml:"add-forward-headers"`
	AddTimestampHeader bool `yaml:"add-timestamp-header"`
	// TrustUserID keeps the user-id property.
	TrustUserID bool `yaml:"trust-user-id"`
	// SingleOwner lets one of several gateways run the shovel at a time.
	SingleOwner bool `yaml:"single-owner"`
	// Paused starts the shovel paused.
	Paused bool `yaml:"paused"`

	LinkSettings `yaml:",inline"`
}

// Source is where a shovel takes messages: a queue or an exchange (both also on NATS), or on NATS a durable consumer.
type Source struct {
	Broker string `yaml:"broker"` // Config.Local if it was not given
	Queue  string `yaml:"queue"`
	// Exchange is read through a durable queue of weir's own, bound with RoutingKey.
	Exchange   string `yaml:"exchange"`
	RoutingKey string `yaml:"routing-key"`
	// Consumer is the durable; it reads Stream, or the stream that captures Subject, and of it what Subject matches.
	Stream   string `yaml:"stream"`
	Consumer string `yaml:"consumer"`
	Subject  string `yaml:"subject"`

	// PrefetchCount is the window; 0 is automatic.
	PrefetchCount int `yaml:"prefetch-count" jsonschema:"minimum=1,maximum=65535"`
	// QueueArgs are used where the queue has to be declared, ConsumerArgs (x-priority, x-stream-offset) to consume. Values
	// are int64, float64, string, bool, time.Time, []any or map[string]any.
	QueueArgs    map[string]any `yaml:"queue-args"`
	ConsumerArgs map[string]any `yaml:"consumer-args"`
	// Predeclared declares nothing: what is missing is waited for.
	Predeclared bool `yaml:"predeclared"`
	// DeleteAfter is another place to write Shovel.DeleteAfter, to which it is moved.
	DeleteAfter DeleteAfter `yaml:"delete-after"`
}

// Destination is where a shovel puts messages. Without exchange, queue and subject they keep their exchange.
type Destination struct {
	Broker   string `yaml:"broker" jsonschema:"required"`
	Exchange string `yaml:"exchange"`
	// RoutingKey is nil where messages keep theirs.
	RoutingKey *string `yaml:"routing-key"`
	Queue      string  `yaml:"queue"`
	Subject    string  `yaml:"subject"`

	QueueArgs   map[string]any `yaml:"queue-args"`
	Predeclared bool           `yaml:"predeclared"`
	// PublishProperties replace properties of the message, in RabbitMQ's names: delivery_mode and priority are int64,
	// timestamp is int64 in seconds or time.Time, all others are strings.
	PublishProperties map[string]any `yaml:"publish-properties"`
	// AddForwardHeaders adds x-shovelled, AddTimestampHeader x-shovelled-timestamp.
	AddForwardHeaders  bool `yaml:"add-forward-headers"`
	AddTimestampHeader bool `yaml:"add-timestamp-header"`
	// DeduplicateBy makes JetStream drop a message whose id it has seen within the duplicate window; empty: off.
	DeduplicateBy DeduplicateBy `yaml:"deduplicate-by"`
	// Room says when this destination is full and the next one is taken; nil: never.
	Room *Room `yaml:"room"`
}

// DeduplicateBy names what makes two messages the same.
type DeduplicateBy string

// ByMessageID trusts the message-id property to be unique.
const ByMessageID DeduplicateBy = "message-id"

func (DeduplicateBy) words() []string { return []string{"message-id"} }
