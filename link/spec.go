package link

import (
	"context"
	"time"

	"weir/broker"
)

// Spec is one link as declared: where messages come from, where they go, and what to do when they can't. Federation and
// shovels are two ways to make Specs.
type Spec struct {
	// Name is unique in a Group.
	Name string
	Kind Kind
	// Site is who this gateway speaks for.
	Site string

	Source      Origin
	Destination Destination
	// Owner is open on one of several gateways. It is kept while Gate opens and shuts, until the link is paused or
	// stops. nil: others may run the same link.
	Owner Gate
	// Gate says when the link may run. nil: always.
	Gate Gate
	// Switch is the part of Gate that a hand may override. nil: none.
	Switch Switch

	// Observe is told of each message, for traces. nil: nobody is.
	Observe Observe
	// Depth returns the last reading of the source's depth that somebody else takes anyway (a Gate that watches it), so
	// that the link need not read it too. nil: nobody does.
	Depth func() broker.Depth
	// Stranded is told, whenever the gate has shut and the link has stopped, how many messages it gave back because they
	// had nowhere to go. nil: nobody is.
	Stranded func(n int)
	// Describe adds to the link's status what only its maker knows. nil: nothing.
	Describe func(*Status)

	AckMode AckMode
	// Window is the most messages in flight. 0 is automatic: it grows with rate and round trip, up to MaxWindow.
	Window int
	// MaxWindow bounds the automatic window. 0: 10,000.
	MaxWindow int
	// MemoryLimit bounds window × mean size, in bytes. 0: 64 MiB.
	MemoryLimit int64
	// RateLimit is in messages a second. 0: none.
	RateLimit float64
	// DeleteAfter ends the link for good after so many confirmed messages. 0: never. QueueLength: as many as were
	// ready when it started.
	DeleteAfter int64

	OnRefused, OnUnroutable Recourse

	// Reconnect bounds the back-off after a fault: full jitter between nothing and a delay that doubles from Min to
	// Max. Zero: 500 ms and 30 s.
	Reconnect Delays
	// ConfirmTimeout is how long the destination may take to confirm before its session counts as lost. Zero: 30 s.
	ConfirmTimeout time.Duration
	// DrainTimeout is how long a stop waits for what is in flight. Zero: 20 s.
	DrainTimeout time.Duration
	// HoldLimit is how long messages are kept, unsettled, while there is no destination; then they are given back.
	// It must be shorter than the broker's consumer timeout (RabbitMQ: 30 min). Zero: 10 min.
	HoldLimit time.Duration
	// NowhereDelay is how long a message that no destination may take waits for the next try. Zero: 5 s.
	NowhereDelay time.Duration

	// Heartbeat is how often the link puts a message of its own into the queue that it receives from, while it is open, to
	// tell how long one takes. Whoever else consumes that queue gets some of them. 0: never.
	Heartbeat time.Duration

	// Paused: declared, not running until somebody resumes it.
	Paused bool
	// Version tells two Specs of one name apart: a Group restarts a link only if it differs.
	Version string
}

// QueueLength as DeleteAfter: as many messages as were ready at the start.
const QueueLength = -1

// Kind is what a link was declared as.
type Kind string

// The kinds of link, as logs and metrics name them.
const (
	Shovel     Kind = "shovel"
	Overflow   Kind = "overflow"
	Move       Kind = "move"
	Federation Kind = "federation"
)

// AckMode says when a message is acked at its source.
type AckMode string

// The modes, as RabbitMQ names them.
const (
	// OnConfirm acks after the destination has confirmed: nothing is lost.
	OnConfirm AckMode = "on-confirm"
	// OnPublish acks when the message has been written: what the destination never got is lost.
	OnPublish AckMode = "on-publish"
	// NoAck acks on receipt: what the gateway holds is lost with it.
	NoAck AckMode = "no-ack"
)

// Origin is the source end of a link.
type Origin struct {
	// Broker is its name, for status and logs.
	Name    string
	Broker  broker.Broker
	At      broker.Address
	Options broker.SourceOptions
}

func (o Origin) String() string { return o.Name + " " + o.At.String() }

// Destination is the other end: one place (To), or a choice of several.
type Destination interface {
	// OpenSink opens it. The link fills in Link, Site, Alone and Unconfirmed.
	OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error)
	// Places are where messages may go, in order of preference: one at least.
	Places() []broker.Place
	// String names it, for status and logs.
	String() string
}

// To is a Destination on one broker.
type To struct {
	Name    string
	Broker  broker.Broker
	At      broker.Address
	Options broker.SinkOptions
}

// OpenSink implements Destination.
func (t To) OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error) {
	own := t.Options
	own.Link, own.Site, own.Alone, own.Unconfirmed = o.Link, o.Site, o.Alone, o.Unconfirmed
	return t.Broker.OpenSink(ctx, t.At, own)
}

// Places implements Destination.
func (t To) Places() []broker.Place { return []broker.Place{{Broker: t.Name, At: t.At}} }

func (t To) String() string { return t.Name + " " + t.At.String() }

// Recourse is what happens to a message that the destination will not take: it is sent again, alone and with back-off,
// while newer ones wait; after so many attempts something else is done. One attempt and Drop is another matter: nothing
// waits, and what is dropped is counted and not logged, however much it is.
type Recourse struct {
	// Attempts counts the first one. 0: 10.
	Attempts int
	// Then is what follows. "": PauseLink.
	Then Action
	// DeadLetter is where DeadLetter sends it.
	DeadLetter Destination
}

// dropsAtOnce tells whether a message is gone at its first refusal, so that it need not hold up the others.
func (r Recourse) dropsAtOnce() bool { return r.Attempts == 1 && r.Then == Drop }

// Action is the last resort of a Recourse.
type Action string

// The actions, as the configuration names them.
const (
	// PauseLink gives the message back and pauses the link, until an operator resumes it.
	PauseLink Action = "pause"
	// DeadLetter publishes it elsewhere, then acks it.
	DeadLetter Action = "dead-letter"
	// Reject lets the source dead-letter it.
	Reject Action = "reject"
	// Drop acks it: it is gone, and counted.
	Drop Action = "drop"
)

// withDefaults fills in what was left at zero. Every default of the engine stands here.
func (s Spec) withDefaults() Spec {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&s.Reconnect.Min, 500*time.Millisecond)
	def(&s.Reconnect.Max, 30*time.Second)
	def(&s.ConfirmTimeout, 30*time.Second)
	def(&s.DrainTimeout, 20*time.Second)
	def(&s.HoldLimit, 10*time.Minute)
	def(&s.NowhereDelay, 5*time.Second)
	if s.MaxWindow == 0 {
		s.MaxWindow = 10_000
	}
	if s.MemoryLimit == 0 {
		s.MemoryLimit = 64 << 20
	}
	if s.AckMode == "" {
		s.AckMode = OnConfirm
	}
	for _, r := range []*Recourse{&s.OnRefused, &s.OnUnroutable} {
		if r.Attempts == 0 {
			r.Attempts = 10
		}
		if r.Then == "" {
			r.Then = PauseLink
		}
	}
	if s.Owner == nil {
		s.Owner = Always{}
	}
	if s.Gate == nil {
		s.Gate = Always{}
	}
	return s
}
