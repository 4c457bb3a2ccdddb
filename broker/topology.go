package broker

import (
	"context"
	"errors"
)

// What follows is only for federation, and optional: who needs one of the interfaces asks for it by type assertion.

// Exchange is an exchange as its broker describes it. On JetStream it is a stream, of the type "topic".
type Exchange struct {
	Name string
	// Type is RabbitMQ's word: direct, fanout, topic, headers, x-consistent-hash, ...
	Type string
	// Internal: nobody can publish to it. Such exchanges are never federated.
	Durable, AutoDelete, Internal bool
	Arguments                     Table
}

// Queue is a queue as its broker describes it.
type Queue struct {
	Name string
	// Type is classic, quorum or stream.
	Type string
	// Exclusive: it belongs to one connection.
	Durable, AutoDelete, Exclusive bool
	Arguments                      Table
}

// Binding leads from an exchange to a queue or to another exchange. Where it says what a buffer wants, Destination is
// empty.
type Binding struct {
	Destination string
	ToExchange  bool
	Key         string
	Arguments   Table
}

// Catalog is a Broker that can tell what exists on it, in its vhost: the downstream side of federation.
type Catalog interface {
	// Exchanges lists all but the default one. ErrUnsupported, wrapped in what the operator must mend, where the
	// broker has no means (RabbitMQ without a management API).
	Exchanges(ctx context.Context) ([]Exchange, error)
	// Queues lists all. Errors as for Exchanges.
	Queues(ctx context.Context) ([]Queue, error)
	// Bindings lists those that lead from an exchange, those to weir's own buffers too. ErrNotFound if there is none
	// of that name.
	Bindings(ctx context.Context, exchange string) ([]Binding, error)
	// Hints tells that something has changed, at once but without a promise: some changes are missed, others told
	// twice or in another order. Who uses it reads what there is and goes by that. The channel is closed when ctx ends
	// or hints have ended (ask again, with a delay). ErrUnsupported where the broker has none.
	Hints(ctx context.Context) (<-chan Hint, error)
}

// Hint is one change.
type Hint struct {
	// Exchange is whose bindings changed; empty: exchanges or queues came or went.
	Exchange string
}

// Buffer is the durable queue at an upstream in which messages for one exchange link wait. On JetStream it is a durable
// consumer of the exchange's stream. A Source receives from it with SourceOptions.Buffer.
type Buffer struct {
	// Name is its queue's, the same for every replica and after every restart.
	Name string
	// Exchange is what it buffers. It is declared like this if it is missing, and taken as it is otherwise.
	Exchange Exchange
	// Arguments of the queue, in RabbitMQ's words (x-queue-type, x-expires, x-message-ttl, x-single-active-consumer).
	// JetStream uses what it has a meaning for, and ignores the rest.
	Arguments Table
	// FirstHop: only messages that have not crossed a link yet (no x-received-from) are wanted, and the broker should
	// keep the others out if it can. Who reads the buffer checks all the same.
	FirstHop bool
}

// ErrMismatch: something of that name exists and was declared with other arguments.
var ErrMismatch = errors.New("declared with other arguments")

// Buffers is a Broker that can hold buffers: the upstream side of federation.
type Buffers interface {
	// DeclareBuffer makes sure that b and its exchange exist. ErrMismatch: a buffer of that name has other arguments;
	// nothing was changed.
	DeclareBuffer(ctx context.Context, b Buffer) error
	// Bound reads back what b is bound with, Destination empty. ErrNotFound if there is no such buffer.
	Bound(ctx context.Context, b Buffer) ([]Binding, error)
	// Rebind adds bindings to b, and when the broker has taken them removes others. It is pipelined: thousands take a
	// few round trips. A message that an added or a kept binding wants is in the buffer if its publish began after
	// Rebind returned; none that a kept binding wants is missed meanwhile. Adding what is there, or removing what is
	// not, is no mistake.
	Rebind(ctx context.Context, b Buffer, add, remove []Binding) error
	// Waiting lists the buffers whose name begins with prefix, and what waits in them.
	Waiting(ctx context.Context, prefix string) ([]Waiting, error)
}

// Waiting is one buffer that exists on a broker.
type Waiting struct {
	Name string
	// Exchange is where it is bound, as far as the broker tells.
	Exchange string
	// Messages are those in it, delivered ones too.
	Messages Count
}

// Disposer is a Broker that can take away what federation has left on it.
type Disposer interface {
	// DeleteBuffer removes a buffer, and what DeclareBuffer made for it alone (never its exchange). Unless force,
	// one that holds messages or has a consumer stays: ErrInUse. A missing one is no mistake.
	DeleteBuffer(ctx context.Context, name string, force bool) error
}

// ErrInUse: it holds messages, or has a consumer.
var ErrInUse = errors.New("in use")

// Standing is a Source that may have to wait while another consumer has the queue (single active consumer).
type Standing interface {
	// Standby tells whether it waits. It costs a request to the broker; ErrUnsupported where the broker cannot tell.
	Standby(ctx context.Context) (bool, error)
}
