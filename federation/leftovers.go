package federation

import (
	"context"

	"weir/broker"
)

// Leftover is a buffer of this site at an upstream that no policy asks for any more.
type Leftover struct {
	// Broker is where it is, by the name it is declared under.
	Broker string `json:"broker"`
	// Buffer is its name, Exchange what it was bound to, as far as the broker tells.
	Buffer   string `json:"buffer"`
	Exchange string `json:"exchange,omitempty"`
	// Messages are those that wait in it.
	Messages broker.Count `json:"messages"`
}

// Leftovers lists what this site's federation has left on the brokers of the configuration in force. The error names
// the brokers that could not be asked; the list holds what the others said.
func (f *Federation) Leftovers(ctx context.Context) ([]Leftover, error) { return nil, nil }

// Remove takes one away. Unless force, one that holds messages or has a consumer stays: broker.ErrInUse.
func (f *Federation) Remove(ctx context.Context, l Leftover, force bool) error { return nil }
