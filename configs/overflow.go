package configs

import "time"

// Match says how several thresholds count together.
type Match string

// How they count.
const (
	MatchAny Match = "any" // one opens the gate; it shuts when all are below stop
	MatchAll Match = "all" // all together open the gate; it shuts when one is below stop
)

func (Match) words() []string { return []string{"any", "all"} }

// Overflow opens a shovel's gate at start and shuts it at stop. At least one threshold is not nil.
type Overflow struct {
	// Watch is the queue that is measured: the source's where it was not given. Where the source is an exchange it is
	// zero but for its broker, and the queue is the one that weir reads the exchange through.
	Watch Watch `yaml:"watch"`
	// MessagesReady opens at start or more messages, and shuts at stop or fewer.
	MessagesReady *CountThreshold `yaml:"messages-ready"`
	// OldestMessage opens when the oldest message has waited for start, and shuts at stop.
	OldestMessage *AgeThreshold `yaml:"oldest-message"`
	// ConsumersBelow opens at fewer than start consumers, and shuts at stop or more.
	ConsumersBelow *CountThreshold `yaml:"consumers-below"`
	// For is how long a start must hold before the gate opens.
	For   time.Duration `yaml:"for"`
	Match Match         `yaml:"match"`
}

// CountThreshold is a pair of numbers with hysteresis between them.
type CountThreshold struct {
	Start int64 `yaml:"start" jsonschema:"required,minimum=1"`
	Stop  int64 `yaml:"stop" jsonschema:"required,minimum=0"`
}

// AgeThreshold is a pair of ages with hysteresis between them.
type AgeThreshold struct {
	Start time.Duration `yaml:"start" jsonschema:"required" least:"1s"`
	Stop  time.Duration `yaml:"stop" jsonschema:"required"`
}

// Watch names what is measured: a queue, or a durable consumer of a stream.
type Watch struct {
	Broker   string `yaml:"broker"` // that of the source or destination it belongs to, if it was not given
	Queue    string `yaml:"queue"`
	Stream   string `yaml:"stream"`
	Consumer string `yaml:"consumer"`
}

// Room says when a destination is full.
type Room struct {
	// Watch is the queue that fills up: the destination's own if it names one.
	Watch         Watch         `yaml:"watch"`
	MessagesReady RoomThreshold `yaml:"messages-ready" jsonschema:"required"`
	// For is how long there must be room again before a destination is preferred again.
	For time.Duration `yaml:"for"`
}

// RoomThreshold passes a destination over at Stop or more messages, until Resume or fewer.
type RoomThreshold struct {
	Stop   int64 `yaml:"stop" jsonschema:"required,minimum=1"`
	Resume int64 `yaml:"resume" jsonschema:"required,minimum=0"`
}
