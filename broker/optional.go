package broker

import (
	"context"
	"fmt"
	"time"
)

// The interfaces below are optional: who needs one asks for it by type assertion.

// Resizer is a Source whose window can change while it is open, without giving anything back.
type Resizer interface {
	Resize(ctx context.Context, window int) error
}

// Stepper is a Resizer that takes some windows only, and none smaller than before: a consumer that shares its queue as the
// single active one would hand it over by making room for itself.
type Stepper interface {
	Resizer
	// Steps are the windows that Resize takes, ascending, the first one in force from the start.
	Steps() []int
}

// RoundTripper is a Source that has measured how long its broker takes to answer.
type RoundTripper interface {
	// RoundTrip is 0 if it is not known.
	RoundTrip() time.Duration
}

// Blocker is a Sink whose broker can ask it to wait (RabbitMQ's connection.blocked).
type Blocker interface {
	// Blocked returns the broker's reason, empty if it is not blocked, and a channel that is closed at the next
	// change.
	Blocked() (reason string, changed <-chan struct{})
}

// BlockedBy is Blocked of a Sink that need not be a Blocker: one that is none is never blocked. It is for sinks that wrap
// another.
func BlockedBy(s Sink) (reason string, changed <-chan struct{}) {
	if b, ok := s.(Blocker); ok {
		return b.Blocked()
	}
	return "", nil
}

// Expirer is a Source that notices what its broker removes, by age or size, before it is delivered.
type Expirer interface {
	// Expired is how many messages that were, since the session began.
	Expired() uint64
}

// Connected is a Source or Sink that knows which node of its broker it talks to, for spans.
type Connected interface {
	// Node is its host and port, as the broker's uris name it; empty for a broker in this process. It is the same as long as
	// the session lasts.
	Node() string
}

// NodeOf is Node of a Source or Sink that need not be Connected; empty if it does not know. Those that wrap another call it,
// too.
func NodeOf(session any) string {
	if c, ok := session.(Connected); ok {
		return c.Node()
	}
	return ""
}

// SendOne sends a message and waits until it is confirmed, or ctx ends. The error is Send's, the Confirm's, or ctx's.
func SendOne(ctx context.Context, s Sink, m *Message) error {
	c, err := s.Send(ctx, m)
	if err != nil {
		return err
	}
	select {
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Router is a Sink with several destinations to choose from.
type Router interface {
	// Route says which destination is preferred now and why others were passed over, for status and spans.
	Route() string
	// Taken is where the last message went that Send took, and why others were passed over for it. Only who calls Send may
	// ask.
	Taken() (to Place, passedOver []string)
}

// Place is an address on a broker, which goes by the name it is declared under.
type Place struct {
	Broker string
	At     Address
}

// String is how logs and status show it.
func (p Place) String() string { return p.Broker + " " + p.At.String() }

// Identity is what a broker is called on a message's hop list.
type Identity struct {
	// Cluster is the cluster-name, VHost the virtual host ("/" where there is none). Both count: two vhosts of one
	// cluster are two places.
	Cluster, VHost string
	// URI has neither credentials nor query.
	URI string
}

// Identifier is a Broker that knows its Identity. It may have to connect to learn it.
type Identifier interface {
	Identity(ctx context.Context) (Identity, error)
}

// IdentityOf asks a Broker what it is called on hop lists. ErrUnsupported if it does not know.
func IdentityOf(ctx context.Context, b Broker) (Identity, error) {
	i, ok := b.(Identifier)
	if !ok {
		return Identity{}, fmt.Errorf("a name for hop lists: %w", ErrUnsupported)
	}
	return i.Identity(ctx)
}

// Role is what an Address is meant for.
type Role int

const (
	// AsSource: to be received from.
	AsSource Role = iota
	// AsDestination: to be sent to.
	AsDestination
)

// Checker is a Broker that can say beforehand whether a session would open, without consuming or changing anything.
type Checker interface {
	// Check returns ErrDenied, ErrNotFound or ErrUnsupported, wrapped in what the operator must mend. predeclared as
	// in the options: without it a missing queue is no mistake.
	Check(ctx context.Context, at Address, as Role, predeclared bool) error
	// DeadLetters tells whether what is rejected at a queue is kept somewhere (it has a dead-letter exchange).
	DeadLetters(ctx context.Context, at Address) (bool, error)
}

// Locker is a Broker on which one of several gateways can own a name at a time.
type Locker interface {
	// Lock waits until this gateway owns name, or ctx ends, which bounds the wait alone: ownership lasts until release, or
	// until it is lost. The context it returns ends then.
	Lock(ctx context.Context, name string) (held context.Context, release func(), err error)
}
