package federation

import "time"

// Problem is what keeps a policy or a downstream from being federated. What concerns one link alone is in its Status.
type Problem struct {
	// Policy or Broker is what it concerns, by its name.
	Policy string `json:"policy,omitempty"`
	Broker string `json:"broker,omitempty"`
	// Text is what is wrong, and what mends it.
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
	// NextTry is zero where nothing is tried again by itself.
	NextTry time.Time `json:"next-try,omitzero"`
}

// Problems are those there are now, by policy and broker.
func (f *Federation) Problems() []Problem { return nil }
