package configs

// Then is what happens to a message that cannot be delivered, after the last attempt.
type Then string

// What can be done with it.
const (
	ThenPause      Then = "pause"       // the link stops, keeps the message, and says why
	ThenDeadLetter Then = "dead-letter" // it goes to another exchange
	ThenReject     Then = "reject"      // it goes back to its queue's dead-letter exchange
	ThenDrop       Then = "drop"        // it is lost, and counted
)

func (Then) words() []string { return []string{"pause", "dead-letter", "reject", "drop"} }

// Fallback is what a link does with a message that its destination does not take.
type Fallback struct {
	// Attempts is how often it is sent before Then is done.
	Attempts int  `yaml:"attempts" jsonschema:"minimum=1"`
	Then     Then `yaml:"then"`
	// DeadLetter is where ThenDeadLetter sends it; nil for everything else.
	DeadLetter *DeadLetter `yaml:"dead-letter"`
}

// DeadLetter is an exchange for messages that cannot be delivered.
type DeadLetter struct {
	Broker   string `yaml:"broker"` // the source's if it was not given
	Exchange string `yaml:"exchange" jsonschema:"required"`
	// RoutingKey is nil where the message keeps its own.
	RoutingKey *string `yaml:"routing-key"`
}
