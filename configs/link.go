package configs

import "time"

// LinkSettings are how a link reconnects, waits and bounds its memory. `defaults:` gives them for all links, a shovel,
// an upstream or a member of an upstream set may say otherwise.
type LinkSettings struct {
	// ReconnectDelay bounds the wait between two attempts.
	ReconnectDelay Delay `yaml:"reconnect-delay"`
	// ConfirmTimeout is how long a destination may take to confirm before the session counts as lost.
	ConfirmTimeout time.Duration `yaml:"confirm-timeout" least:"1s"`
	// DrainTimeout is how long a stop waits for what is in flight.
	DrainTimeout time.Duration `yaml:"drain-timeout"`
	// HoldLimit is how long messages are held while the destination is away, before they are given back.
	HoldLimit time.Duration `yaml:"hold-limit" least:"1s"`
	// HeartbeatInterval is how often a link puts a message of its own into its source queue, to tell the lag; 0: never. It is 0
	// where others than links would get those messages, unless it was written there, which is a mistake.
	HeartbeatInterval time.Duration `yaml:"heartbeat-interval"`
	// MemoryLimit bounds the messages in flight while the window is automatic.
	MemoryLimit Size `yaml:"memory-limit"`
}

// Delay is a wait that grows from Min to Max, with jitter.
type Delay struct {
	Min time.Duration `yaml:"min" unit:"s" least:"1ms"`
	Max time.Duration `yaml:"max" unit:"s" least:"1ms"`
}

// shorthand: one duration, or RabbitMQ's bare number of seconds, is a wait that does not grow.
func (*Delay) shorthand() []string { return []string{"min", "max"} }
