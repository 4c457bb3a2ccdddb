package admin

import "weir/internal/telemetry"

// Hops is where the hops of recent messages are kept.
type Hops interface {
	// Recent are the last n, newest first.
	Recent(n int) []telemetry.Hop
	// Find are those of one message, by its message-id or the id of its trace, oldest first.
	Find(id string) []telemetry.Hop
}

// noHops is a Hops where nothing is kept.
type noHops struct{}

func (noHops) Recent(int) []telemetry.Hop  { return nil }
func (noHops) Find(string) []telemetry.Hop { return nil }
