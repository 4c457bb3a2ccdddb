package admin

import (
	"time"

	"weir/link"
)

// Hops is where the hops of recent messages are kept.
type Hops interface {
	// Recent are the last n, newest first.
	Recent(n int) []Hop
	// Find are those of one message, by its message-id or the id of its trace, oldest first.
	Find(id string) []Hop
}

// Hop is one crossing of a link by one message.
type Hop struct {
	At          time.Time `json:"at"` // when it was confirmed, or given up
	Link        string    `json:"link"`
	Kind        link.Kind `json:"kind"`
	Source      string    `json:"source"`
	Destination string    `json:"destination"`
	MessageID   string    `json:"message-id,omitempty"`
	TraceID     string    `json:"trace-id,omitempty"`
	// WaitSeconds is how long it lay at the source, and WaitFrom where that figure came from. nil: not known.
	WaitSeconds *float64 `json:"wait-seconds,omitempty"`
	WaitFrom    string   `json:"wait-from,omitempty"`
	// ConfirmSeconds is how long the destination took to confirm it.
	ConfirmSeconds float64 `json:"confirm-seconds"`
	Attempts       int     `json:"attempts"`
	// Outcome is what became of it: "confirmed", or why not.
	Outcome string `json:"outcome"`
	// Why is why it crossed at all, where a threshold decided that.
	Why string `json:"why,omitempty"`
}

// noHops is a Hops where nothing is kept.
type noHops struct{}

func (noHops) Recent(int) []Hop  { return nil }
func (noHops) Find(string) []Hop { return nil }
