// Package brokertest is the contract of package broker as a test suite. A driver's own test calls Run with a Harness that
// says how to reach a broker, by the driver and behind its back, and Federation if it serves federation; Transport does the
// same for a pair of drivers.
//
//	func TestContract(t *testing.T) {
//		brokertest.Run(t, brokertest.Harness{Start: start, Cannot: map[string]string{
//			brokertest.Blocked: "NATS has no connection.blocked",
//		}})
//	}
//
// Nothing is skipped in silence: what a broker cannot do is named in Harness.Cannot with the reason. Where the contract
// says what a driver does instead, that is asserted; the rest is printed. Everything else must work.
package brokertest

import (
	"testing"
	"time"

	"weir/broker"
)

// Harness tells the suite how to test one driver.
type Harness struct {
	// Start makes what one test works with, and has t.Cleanup end it. Queues of one test are never seen by another.
	Start func(t *testing.T) *Rig
	// Cannot names behaviours (constants of this package) that this broker does not have, each with the reason.
	Cannot map[string]string
	// Wrap runs one test; nil calls it as it is. A driver without sockets passes synctest.Test.
	Wrap func(t *testing.T, test func(t *testing.T))
	// Parallel runs the behaviours side by side, but for Blocked, which runs before the others: its alarm is felt by every
	// test on the same broker. Not with a Wrap that runs a bubble.
	Parallel bool
	// Quiet is how long nothing must arrive before the suite believes that nothing will. Default 200 ms.
	Quiet time.Duration
	// Timeout bounds every wait for something that must happen. Default 30 s.
	Timeout time.Duration
}

// Rig is what one test works with. A func that fails ends the test itself. Fields said to belong to a behaviour may be
// left out when that is named in Harness.Cannot.
type Rig struct {
	// Broker is reached through the driver under test.
	Broker broker.Broker
	// Queue makes a fresh, durable, empty queue.
	Queue func(QueueOptions) Queue
	// Publish stores messages in a queue, and Take waits for n ready messages, removes them and returns them in order;
	// both without the driver. Nil uses the driver, which hides what it gets wrong twice.
	Publish func(q Queue, ms ...*broker.Message)
	Take    func(q Queue, n int) []*broker.Message
	// Exchange makes a fresh topic exchange with nothing bound to it (for JetStream, what exchange: means there).
	Exchange func() string
	// Missing returns a fresh address, good for both ways, at which there is nothing.
	Missing func() broker.Address
	// Durable tells whether what is at an address now would outlive a restart of the broker (Declare).
	Durable func(at broker.Address) bool

	// Nowhere is where a message can be published and is stored by nobody (Unroutable).
	Nowhere Route
	// TooLarge is the size of a body that the broker will never store (TooLarge).
	TooLarge int
	// UserID is a user-id that the broker takes from this user.
	UserID string
	// Knows says which figures of a Depth are known, in the end, on an idle broker.
	Knows Known
	// Consume begins to consume from a queue as an application would, for Depth to count (Consumers).
	Consume func(q Queue) (stop func())

	// Bind binds what an application would to an exchange, and returns how a Catalog lists it. What it leads to is made
	// for it, fresh, an exchange if ToExchange says so; the given Destination is ignored (ForeignBindings).
	Bind func(exchange string, as broker.Binding) (made broker.Binding, unbind func())

	// Cut ends every connection of Broker; new ones can be made at once.
	Cut func()
	// Hold keeps the broker's answers from Broker until Release. What was sent may or may not be stored meanwhile.
	Hold, Release func()
	// Block has the broker ask publishers to wait, until Unblock (Blocked).
	Block, Unblock func()

	// WrongPassword is the same broker, for a user whose credentials are wrong (Credentials).
	WrongPassword broker.Broker
	// Forbidden is the same broker for a user who may log in, and neither read nor write nor declare (Permission).
	Forbidden broker.Broker
	// Silent is reached by way of something that takes connections and never answers (OpenTimeout).
	Silent broker.Broker
}

// QueueOptions say what a test needs of a queue.
type QueueOptions struct {
	// DeadLetter: what is rejected goes to Queue.DeadLetters.
	DeadLetter bool
	// Full: every further message is refused.
	Full bool
}

// Queue is a queue and the ways to it.
type Queue struct {
	// Source and Sink are for OpenSource and OpenSink. A driver may need different words for them.
	Source, Sink broker.Address
	// Route is how a Sink on the zero Address reaches it.
	Route Route
	// DeadLetters is the queue of dead letters, if one was asked for.
	DeadLetters *Queue
}

// Route is where a message says it goes.
type Route struct{ Exchange, RoutingKey, Subject string }

// Known says which figures of a Depth are known.
type Known struct{ Ready, Unacked, Consumers, Oldest bool }
