// Package memory is a broker in memory: the reference driver, which passes the contract suite, and what the engine is
// tested on. It behaves like RabbitMQ with quorum queues up to 4.2 as far as a link can tell, and takes faults on demand:
//
//	b := memory.New("eu")
//	b.Declare("orders", memory.Queue{DeliveryLimit: 20})
//	b.Put("orders", "one", "two")
//	b.Cut() // every session is lost
//
// It uses only the standard library's clock and owns no goroutine, so that a test under testing/synctest runs on the fake
// clock. A Broker lives until it is garbage; Cut ends what is open.
package memory

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"weir/broker"
)

// Broker implements broker.Broker, Identifier, Checker, Locker, Catalog, Buffers and Disposer. Make one with New or NewVHost.
type Broker struct {
	name, vhost string

	// mu guards everything below and in queues, sources and sinks. It is held for moments, never while waiting.
	mu        sync.Mutex
	queues    map[string]*queue
	exchanges map[string]*exchange
	sources   map[*source]struct{}
	sinks     map[*sink]struct{}
	locks     map[string]*lease
	mortal    map[*queue]bool // those that time changes
	listeners map[chan broker.Hint]bool
	opened    struct{ sources, sinks int }
	faults
}

// New returns an empty broker. name is its cluster-name. Its only vhost is "/".
func New(name string) *Broker { return NewVHost(name, "/") }

// NewVHost returns an empty broker that is one vhost of a cluster. It shares nothing with the cluster's others.
func NewVHost(cluster, vhost string) *Broker {
	return &Broker{
		name:      cluster,
		vhost:     vhost,
		queues:    map[string]*queue{},
		exchanges: map[string]*exchange{},
		sources:   map[*source]struct{}{},
		sinks:     map[*sink]struct{}{},
		locks:     map[string]*lease{},
		mortal:    map[*queue]bool{},
		listeners: map[chan broker.Hint]bool{},
		faults:    faults{changed: make(chan struct{}), denied: map[string]bool{}},
	}
}

// Identity implements broker.Identifier.
func (b *Broker) Identity(ctx context.Context) (broker.Identity, error) {
	return broker.Identity{Cluster: b.name, VHost: b.vhost, URI: "memory://" + b.name + "/" + url.PathEscape(b.vhost)}, b.reach(ctx)
}

// OpenSource implements broker.Broker.
func (b *Broker) OpenSource(ctx context.Context, at broker.Address, o broker.SourceOptions) (broker.Source, error) {
	if err := b.reach(ctx); err != nil {
		return nil, err
	}
	b.lock()
	defer b.mu.Unlock()
	// The queue that a shovel reads an exchange through is weir's own.
	if err := b.permits(at, broker.AsSource, o.Buffer || o.Predeclared && at.Exchange == ""); err != nil {
		return nil, err
	}
	name := cmp.Or(at.Queue, "weir: shovel "+o.Site+"/"+o.Link)
	q := b.declare(name, Queue{Arguments: o.DeclareArgs})
	if at.Exchange != "" && !o.Buffer {
		b.bind(at.Exchange, broker.Binding{Destination: name, Key: at.RoutingKey})
	}
	b.opened.sources++
	return b.consume(q, o.Window, o.ConsumerArgs), nil
}

func (b *Broker) consume(q *queue, window int, args broker.Table) *source {
	s := &source{b: b, q: q, window: max(window, 1), priority: number(args, "x-priority"), wake: make(chan struct{}, 1)}
	b.sources[s] = struct{}{}
	q.sources = append(q.sources, s)
	q.dispatch()
	return s
}

// OpenSink implements broker.Broker.
func (b *Broker) OpenSink(ctx context.Context, at broker.Address, o broker.SinkOptions) (broker.Sink, error) {
	if err := b.reach(ctx); err != nil {
		return nil, err
	}
	b.lock()
	defer b.mu.Unlock()
	if err := b.permits(at, broker.AsDestination, o.Predeclared); err != nil {
		return nil, err
	}
	if at.Queue != "" {
		b.declare(at.Queue, Queue{Arguments: o.DeclareArgs})
	}
	s := &sink{b: b, at: at, unconfirmed: o.Unconfirmed, lost: make(chan struct{})}
	b.sinks[s] = struct{}{}
	b.opened.sinks++
	return s, nil
}

// Depth implements broker.Broker. Consumers are those of Consume and those that Consumers has set.
func (b *Broker) Depth(ctx context.Context, at broker.Address) (broker.Depth, error) {
	if err := b.reach(ctx); err != nil {
		return broker.Depth{}, err
	}
	b.lock()
	defer b.mu.Unlock()
	if at.Queue == "" {
		return broker.Depth{}, fmt.Errorf("depth of %v: only a queue has one: %w", at, broker.ErrUnsupported)
	}
	if err := b.permits(at, broker.AsSource, true); err != nil {
		return broker.Depth{}, err
	}
	d := broker.Depth{At: time.Now()}
	if b.depthHidden {
		return d, nil
	}
	q := b.queues[at.Queue]
	d.Ready, d.Unacked, d.Consumers = broker.Counted(int64(len(q.ready))), broker.Counted(q.unacked()), broker.Counted(q.foreign())
	var oldest time.Duration
	if len(q.ready) > 0 {
		oldest = d.At.Sub(q.ready[0].stored)
	}
	d.OldestAtLeast, d.OldestAtMost = broker.Aged(oldest), broker.Aged(oldest)
	return d, nil
}
