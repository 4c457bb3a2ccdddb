// Package broker is the contract between the engine of weir and the message brokers it joins.
//
// A driver (broker/amqp, broker/jetstream, broker/memory) implements Broker. A link opens a Source on one broker and a
// Sink on another, receives, sends, waits for each Confirm and acks. The suite in broker/brokertest says what every
// driver must do; this package says why.
//
// One rule holds everywhere: nothing reconnects by itself. A Source or Sink that has failed stays failed; its owner
// closes it and opens another.
package broker

import "context"

// Broker is a messaging system, usually a cluster of nodes, on which sources and sinks can be opened. It is safe for
// concurrent use. Sessions may share connections, which the driver dials when first needed.
type Broker interface {
	// OpenSource begins to receive from at. It returns once the broker has accepted the consumer. Errors that decide:
	// ErrDenied, ErrNotFound, ErrUnsupported; any other is worth another try.
	OpenSource(ctx context.Context, at Address, o SourceOptions) (Source, error)
	// OpenSink prepares to send to at. Errors as for OpenSource.
	OpenSink(ctx context.Context, at Address, o SinkOptions) (Sink, error)
	// Depth reads how much lies at a queue, or at a stream's consumer. Figures the broker would not give are unknown,
	// never 0. ErrNotFound if nothing is there.
	Depth(ctx context.Context, at Address) (Depth, error)
}

// Source delivers messages from one queue or stream, in the broker's order. Receive, Ack and Settle may be called from
// different goroutines, each from one at a time.
//
// The window bounds what has been delivered and not settled; the broker sends no more until something is settled.
type Source interface {
	// Receive waits for the next message. When ctx ends it returns ctx's error and loses nothing: the next call gets
	// the message. After Stop it returns what was delivered before, then io.EOF. Any other error means the session is
	// lost, and with it the right to settle: the broker delivers what was unsettled again.
	Receive(ctx context.Context) (*Message, error)
	// Ack settles last and everything received before it that is not settled yet. last must itself be unsettled.
	// Ack does not wait for the broker.
	Ack(last *Message) error
	// Settle settles m alone.
	Settle(m *Message, how Settlement) error
	// Stop ends new deliveries. What was delivered can still be received, acked and settled. It returns when the
	// broker has agreed, or with ctx's error.
	Stop(ctx context.Context) error
	// Close gives back to the broker whatever is unsettled, at once. Closing twice is harmless.
	Close() error
}

// Sink sends messages to one destination. Send is called from one goroutine at a time.
type Sink interface {
	// Send hands m to the broker, in order, and does not wait for it to be stored. An error means that m was not
	// sent: ErrBlocked and nothing changed; anything else and the session is lost. What concerns this message alone
	// (refused, unroutable, too large) comes through its Confirm. m may be sent again, also elsewhere: a Sink never
	// changes it, and does not keep it after the Confirm has been settled.
	Send(ctx context.Context, m *Message) (Confirm, error)
	// Lost is closed when the session is lost, also while nothing is being sent.
	Lost() <-chan struct{}
	// Close ends the session. Every pending Confirm settles as ErrLost. Closing twice is harmless.
	Close() error
}

// Settlement is how one message leaves the hands of a Source.
type Settlement int

const (
	// Acked removes the message from the source.
	Acked Settlement = iota
	// Rejected removes it as unprocessable: a queue dead-letters it, or drops it if it has no dead-letter exchange.
	Rejected
	// Returned gives it back, to be delivered again. Quorum queues up to RabbitMQ 4.2 count it towards their
	// delivery limit.
	Returned
)

// SourceOptions say how a Source is opened.
type SourceOptions struct {
	// Link and Site name the session in the broker's own tools, and the durable objects that belong to it.
	Link, Site string
	// Window is the most messages delivered and not settled, at least 1. A Stepper may begin with more, up to MaxWindow.
	Window int
	// MaxWindow is the most that Resize will ask for. 0: the window stays as it is. Only a Stepper needs it.
	MaxWindow int
	// Predeclared: the queue, stream or consumer must exist. Otherwise what is missing is declared, durable.
	Predeclared bool
	// Buffer: the Address names a buffer by its Queue and its Exchange. It must exist (Buffers.DeclareBuffer makes it), and
	// is taken as it is, bindings too.
	Buffer bool
	// DeclareArgs are used when the queue must be declared (RabbitMQ's queue-args).
	DeclareArgs Table
	// ConsumerArgs are passed to the broker with the consumer (x-priority, x-stream-offset, ...).
	ConsumerArgs Table
	// Alone asks for a connection that no other link uses.
	Alone bool
}

// SinkOptions say how a Sink is opened.
type SinkOptions struct {
	// Link and Site name the session, and scope the identities a broker removes duplicates by.
	Link, Site string
	// Predeclared: a destination queue or stream must exist. Otherwise it is declared, durable. An exchange is never
	// declared.
	Predeclared bool
	// DeclareArgs are used when the queue must be declared.
	DeclareArgs Table
	// Unconfirmed: do not ask for confirms; each Confirm is settled when its message has been written.
	Unconfirmed bool
	// DeduplicateBy: "message-id" lets a broker that removes duplicates (JetStream) do so by the producer's
	// message-id. Without it only messages with a sequence of their own are deduplicated.
	DeduplicateBy string
	// Alone asks for a connection that no other link uses: what a link does after its connection was lost while it
	// was sending, so that a message the broker chokes on takes no neighbour down with it.
	Alone bool
}
