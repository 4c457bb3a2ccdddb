package link

import (
	"sync"
	"sync/atomic"
	"time"

	"weir/broker"
)

// State is what a link is doing. Each is told with a reason, since when, and what happens next.
type State string

// The states of a link.
const (
	Starting State = "starting" // opening its ends
	Running  State = "running"  // messages move
	Idle     State = "idle"     // open at both ends, nothing to move
	Paused   State = "paused"   // by an operator, or by itself with a reason
	Shut     State = "shut"     // its gate is shut: below the threshold, no demand
	Standby  State = "standby"  // another gateway owns it, or has its queue
	Holding  State = "holding"  // messages are kept: their destination is away, or has no place for them
	Stuck    State = "stuck"    // the source has messages and gives none; see Reason
	Blocked  State = "blocked"  // the destination's broker asked it to wait
	Retrying State = "retrying" // a fault; see LastError and NextTry
	Denied   State = "denied"   // credentials or permissions: an operator must act
	Finished State = "finished" // delete-after was reached
	Stopped  State = "stopped"  // the gateway is stopping
)

// Status is a snapshot of one link, for the API, the page, metrics and the command line.
type Status struct {
	Name        string    `json:"name"`
	Kind        Kind      `json:"kind"`
	State       State     `json:"state"`
	Reason      string    `json:"reason,omitempty"`
	Since       time.Time `json:"since"`
	Source      string    `json:"source"`
	From        string    `json:"from"` // the source's broker, by name
	Destination string    `json:"destination"`
	To          []string  `json:"to"`              // the destinations' brokers, by name, in order of preference
	Route       string    `json:"route,omitempty"` // the destination in use
	AckMode     AckMode   `json:"ack-mode"`
	Warning     string    `json:"warning,omitempty"`

	LastError string    `json:"last-error,omitempty"`
	ErrorAt   time.Time `json:"error-at,omitzero"`
	Attempt   int       `json:"attempt,omitempty"`
	NextTry   time.Time `json:"next-try,omitzero"`

	InFlight int    `json:"in-flight"`
	Window   int    `json:"window"`
	Held     int    `json:"held"`
	Counts   Counts `json:"counts"`
	// Depth of the source, nil while it is not known.
	Depth *SourceDepth `json:"depth,omitempty"`

	// How long messages took: Waits in the source before they were received, Confirms from the last try until the
	// destination had them, Transits from the source's having them until then. The first and the last are of those
	// messages of which it is known when they came (StoredAt).
	Waits, Confirms, Transits Histogram `json:"-"`

	// Heartbeat is nil where none are sent.
	Heartbeat  *HeartbeatStatus  `json:"heartbeat,omitempty"`
	Overflow   *OverflowStatus   `json:"overflow,omitempty"`
	Federation *FederationStatus `json:"federation,omitempty"`
}

// FederationStatus is what only a federated exchange or queue has to tell.
type FederationStatus struct {
	Policy   string `json:"policy"`
	Upstream string `json:"upstream"`
	// Of an exchange link: its buffer at the upstream, how many bindings are mirrored there, since when they are equal,
	// and how changes are noticed ("at once", "every 1s").
	Buffer    string    `json:"buffer,omitempty"`
	Bindings  *int      `json:"bindings,omitempty"`
	EqualAt   time.Time `json:"bindings-equal-at,omitzero"`
	NoticedBy string    `json:"bindings-noticed,omitempty"`
	// Problem is why the bindings are not equal now.
	Problem string `json:"bindings-problem,omitempty"`
	// Of a queue link: the size of a batch, and how many messages of the last one still lie ready downstream.
	Batch    *int   `json:"batch,omitempty"`
	Stranded *int64 `json:"stranded,omitempty"`
}

// Counts are totals since the link was made; a reload that changes it keeps none.
type Counts struct {
	Received       int64 `json:"received"`
	Confirmed      int64 `json:"confirmed"`
	BytesConfirmed int64 `json:"bytes-confirmed"`
	Refused        int64 `json:"refused"`
	Unroutable     int64 `json:"unroutable"`
	// Filtered are those that nobody at the destination wants. They were acked and not sent.
	Filtered     int64 `json:"filtered"`
	Dropped      int64 `json:"dropped"`
	DeadLettered int64 `json:"dead-lettered"`
	Rejected     int64 `json:"rejected"`
	// Expired are those that the source's broker has removed, by age or size, before they were received. Only JetStream tells.
	Expired    int64 `json:"expired"`
	Retries    int64 `json:"retries"`
	Reconnects int64 `json:"reconnects"`
}

// board is where a running link writes its status.
type board struct {
	mu       sync.Mutex
	state    State
	reason   string
	since    time.Time
	lastErr  error
	errorAt  time.Time
	attempt  int
	nextTry  time.Time
	route    string
	nowhere  error        // why the last stranded message is held
	depth    broker.Depth // of the source
	inFlight *flight

	window, held                                         atomic.Int64
	received, confirmed, bytesConfirmed                  atomic.Int64
	settled                                              atomic.Int64 // have left the source
	refused, unroutable, dropped, deadLettered, rejected atomic.Int64
	retries, reconnects, filtered, expired               atomic.Int64

	waits, confirms, transits histogram

	heart      heart
	heartbeats atomic.Int64 // received, whosever they were
}

// came is how often anything has come from the source.
func (b *board) came() int64 { return b.received.Load() + b.heartbeats.Load() }

// enter changes state, or just its reason; since is when the state was entered. It returns the state before.
func (b *board) enter(s State, reason string) (was State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s == Running || s == Idle || s == Standby || s == Paused {
		b.attempt = 0
	}
	return b.change(s, reason)
}

// fault enters a state because of an error, and tells when the next try is due.
func (b *board) fault(s State, err error, next time.Duration, attempt int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.change(s, err.Error())
	b.lastErr, b.errorAt = err, time.Now()
	b.attempt, b.nextTry = attempt, b.errorAt.Add(next)
}

func (b *board) change(s State, reason string) (was State) {
	was = b.state
	if was != s {
		b.since = time.Now()
	}
	b.state, b.reason = s, reason
	return was
}

// trying notes that the next try has begun.
func (b *board) trying() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nextTry = time.Time{}
}

// strand notes that one more message is held because it has nowhere to go.
func (b *board) strand(why error) {
	b.held.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nowhere = why
}

// stranded is why messages have nowhere to go.
func (b *board) stranded() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.nowhere
}

func (b *board) current() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

func (b *board) setRoute(route string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.route = route
}

func (b *board) fill(s *Status) {
	b.mu.Lock()
	s.State, s.Reason, s.Since = b.state, b.reason, b.since
	s.ErrorAt, s.Attempt, s.NextTry, s.Route = b.errorAt, b.attempt, b.nextTry, b.route
	if b.lastErr != nil {
		s.LastError = b.lastErr.Error()
	}
	if !b.depth.At.IsZero() {
		s.Depth = &SourceDepth{Read(b.depth), b.depth.At}
	}
	b.mu.Unlock()
	s.InFlight = b.inFlight.len()
	s.Window, s.Held = int(b.window.Load()), int(b.held.Load())
	s.Waits, s.Confirms, s.Transits = b.waits.read(), b.confirms.read(), b.transits.read()
	s.Counts = Counts{
		Received:       b.received.Load(),
		Confirmed:      b.confirmed.Load(),
		BytesConfirmed: b.bytesConfirmed.Load(),
		Refused:        b.refused.Load(),
		Unroutable:     b.unroutable.Load(),
		Filtered:       b.filtered.Load(),
		Dropped:        b.dropped.Load(),
		DeadLettered:   b.deadLettered.Load(),
		Rejected:       b.rejected.Load(),
		Expired:        b.expired.Load(),
		Retries:        b.retries.Load(),
		Reconnects:     b.reconnects.Load(),
	}
}
