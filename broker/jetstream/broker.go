// Package jetstream is the driver for NATS JetStream.
//
// It stands on github.com/nats-io/nats.go, whose reconnects stay off: a session that has failed stays failed. Its
// jetstream package makes and reads streams and consumers. Pulling, publishing and settling are done here on the core
// protocol, which is what makes them fast (see requests.go, slots.go) and lets a window be exact.
//
// Addresses are in RabbitMQ's words or in NATS' own; names.go says what becomes of the former. What JetStream does not
// have is made here:
//   - mandatory: JetStream confirms what no consumer of an interest stream wants. routes.go asks who listens before
//     anything is called routable, and again before anything is called unroutable.
//   - exchanges: a binding that is made while a message is published can make an interest stream forget the message on
//     some replicas. anchor.go keeps every message of an exchange for 5 s, so that it cannot.
//   - buffers of federation: buffer.go has a consumer's filters cover what it is bound with, and keeps that exactly in its
//     metadata. standing.go has one of several gateways at a time receive from it (x-single-active-consumer).
//   - demand: a consumer tells how many pull requests wait, and not whose. pulls.go asks other gateways for theirs, on
//     weir.pulls.<stream>.<consumer>.
//   - a lost connection does not give back what was unsettled. leftovers.go does, as soon as there is one again. What the
//     server had sent and nobody received by then comes after the ack wait, behind newer messages: only a source that takes
//     turns (standing.go) knows that no other holds it, and keeps the order through that.
//
// There are no dead-letter exchanges: what is rejected is terminated (the broker says so in an advisory) and gone.
package jetstream

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"

	"weir/broker"
)

// Broker implements broker.Broker, Identifier, Checker, Locker, Catalog, Buffers and Disposer for one account of
// one NATS system. Its Sources implement broker.Resizer, Expirer and Standing.
type Broker struct {
	config   Config
	log      *slog.Logger
	names    names
	instance []byte // tells this Broker from others, as the owner of locks

	receiving, sending *pool
	manager            manager
	leftovers          leftovers
	returned           returned
	depths             depths
	askingBucket       chan struct{} // cap 1: held by the one that looks for the bucket of locks, or makes it

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup // what works for the Broker and not for one session: anchors, listeners

	mu         sync.Mutex
	sessions   map[session]struct{}
	listeners  map[string]*listeners // by stream
	requestsOn *conn                 // where listenToRequests does
	anchors    map[string]struct{}   // by stream
	locks      map[string]struct{}   // by key
	closed     bool
}

// session is a Source or a Sink.
type session interface{ Close() error }

var errClosed = errors.New("the broker has been closed")

// New makes a Broker. It connects to nothing before something is asked of it. Close must be called in the end.
func New(c Config, log *slog.Logger) *Broker {
	c = c.withDefaults()
	b := &Broker{
		config: c, log: log.With("broker", c.Name), names: newNames(c.SubjectPrefix, c.VHost),
		sessions: map[session]struct{}{}, listeners: map[string]*listeners{}, anchors: map[string]struct{}{},
		locks: map[string]struct{}{}, instance: []byte(rand.Text()),
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.receiving = newPool("receive", c.LinksPerConnection, b.dial)
	b.sending = newPool("send", c.LinksPerConnection, b.dial)
	b.manager.turn = make(chan struct{}, 1)
	b.askingBucket = make(chan struct{}, 1)
	return b
}

// Close closes every session and connection, and returns when nothing of the Broker runs any more. Closing twice is
// harmless.
func (b *Broker) Close() {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.closed = true
	sessions := b.sessions
	b.sessions = nil
	b.mu.Unlock()
	var closing sync.WaitGroup
	for s := range sessions {
		closing.Go(func() { s.Close() })
	}
	closing.Wait()
	b.cancel()
	b.running.Wait()
	b.manager.close()
}

// run has f work for the Broker, which waits for its end when it closes. ok is false if it is closed already.
func (b *Broker) run(f func()) (ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.running.Go(f)
	}
	return !b.closed
}

// opened takes a new session into account. It closes it if the Broker is closed already.
func (b *Broker) opened(s session) error {
	b.mu.Lock()
	closed := b.closed
	if !closed {
		b.sessions[s] = struct{}{}
	}
	b.mu.Unlock()
	if closed {
		s.Close()
		return errClosed
	}
	return nil
}

func (b *Broker) forget(s session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sessions, s)
}

// Identity implements broker.Identifier.
func (b *Broker) Identity(ctx context.Context) (broker.Identity, error) {
	id := broker.Identity{Cluster: b.config.ClusterName, VHost: b.config.VHost, URI: b.shownURIs()[0]}
	if id.Cluster == "" {
		c, err := b.manage(ctx)
		if err != nil {
			return broker.Identity{}, err
		}
		if id.Cluster = c.nats.ConnectedClusterName(); id.Cluster == "" {
			id.Cluster = b.config.Name
		}
	}
	return id, nil
}
