package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weir/broker"
	"weir/configs"
	"weir/internal/brokers"
	"weir/link"
	"weir/shovel"
)

// moveTick is how often a Move looks at its link, idleTicks how often it must have found nothing in its hands before it
// asks the broker whether there is anything left.
const (
	moveTick  = 100 * time.Millisecond
	idleTicks = 10
)

// Why a Move ended before it had moved everything.
var (
	// ErrPaused: the destination would not take a message.
	ErrPaused = errors.New("a message is not taken")
	// ErrDrained: the queue is empty; others have consumed from it.
	ErrDrained = errors.New("the queue is empty: others have consumed the rest")
)

// ErrLengthUnknown: the broker does not tell how much there is: RabbitMQ answers 0 for an empty queue and for a quorum queue
// under load. It may tell soon.
var ErrLengthUnknown = errors.New("its length is not known now: try again, or set management of the broker, without which RabbitMQ " +
	"answers alike for an empty queue and for a busy one")

// MoveOrder says what to move where, once.
type MoveOrder struct {
	From configs.Source
	To   configs.Destination
	// Count is the most messages to move; 0: as many as are ready at the start.
	Count int64
	Rate  configs.Rate
}

// Move is a shovel that ends.
type Move struct {
	spec  link.Spec
	set   *brokers.Set
	log   *slog.Logger
	total int64
}

// NewMove connects to both ends and reads how much is there, without consuming. It declares nothing: what is missing is
// ErrNotFound. Call Close at the end.
func NewMove(ctx context.Context, cfg *configs.Config, o MoveOrder, open brokers.Open, log *slog.Logger) (*Move, error) {
	once := *cfg
	once.Brokers = map[string]configs.Broker{}
	for _, name := range []string{o.From.Broker, o.To.Broker} {
		if cfg.Brokers[name].Type == configs.Embedded {
			return nil, fmt.Errorf("broker %s runs inside another weir: %w; declare it as type nats, with its listen as uri, to reach it from here",
				name, broker.ErrUnsupported)
		}
		once.Brokers[name] = cfg.Brokers[name]
	}
	o.From.Predeclared, o.To.Predeclared = true, true
	recourse := configs.Fallback{Attempts: 10, Then: configs.ThenPause}
	once.Shovels = map[string]configs.Shovel{"move": {
		Name:         "move",
		Source:       o.From,
		Destinations: []configs.Destination{o.To},
		AckMode:      configs.OnConfirm,
		OnRefused:    recourse,
		OnUnroutable: recourse,
		RateLimit:    o.Rate,
		LinkSettings: cfg.Defaults,
	}}
	set, err := (*brokers.Set)(nil).Next(ctx, &once, open, log)
	if err != nil {
		return nil, err
	}
	m := &Move{set: set, log: log}
	if err := m.prepare(ctx, &once, o.Count); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *Move) prepare(ctx context.Context, cfg *configs.Config, count int64) error {
	for _, e := range shovel.Ends(cfg) {
		b, _ := m.set.Find(e.Broker)
		checker, ok := b.(broker.Checker)
		if !ok {
			continue // opening it will tell
		}
		if err := ask(ctx, func(ctx context.Context) error { return checker.Check(ctx, e.At, e.As, true) }); err != nil {
			return fmt.Errorf("broker %s: %w", e.Broker, err)
		}
	}
	specs, err := shovel.Links(cfg, m.set.Find, m.log)
	if err != nil {
		return err
	}
	m.spec = specs[0]
	m.spec.Kind = link.Move
	ready, err := m.ready(ctx)
	if err != nil {
		return err
	}
	m.total = ready
	if count > 0 {
		m.total = min(count, ready)
	}
	m.spec.DeleteAfter = m.total
	return nil
}

// ready is how many messages lie at the source.
func (m *Move) ready(ctx context.Context) (int64, error) {
	from := m.spec.Source
	var depth broker.Depth
	err := ask(ctx, func(ctx context.Context) (err error) {
		depth, err = from.Broker.Depth(ctx, from.At)
		return err
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("length of %s: %w", from, err)
	case !depth.Ready.Known:
		return 0, fmt.Errorf("%s: %w", from, ErrLengthUnknown)
	}
	return depth.Ready.N, nil
}

// Total is how many messages will be moved.
func (m *Move) Total() int64 { return m.total }

// From and To name the ends.
func (m *Move) From() string { return m.spec.Source.String() }

// To names the destination.
func (m *Move) To() string { return m.spec.Destination.String() }

// Run moves, and tells progress how far it is. When ctx ends it stops taking messages, brings over those in flight, and
// returns ctx's error. moved counts what the destination has confirmed.
func (m *Move) Run(ctx context.Context, progress func(link.Status)) (moved int64, err error) {
	if m.total == 0 {
		return 0, nil
	}
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	l := link.New(m.spec, m.log)
	var watching sync.WaitGroup
	watching.Go(func() { m.watch(running, stop, l, progress) })
	l.Run(running)
	s := l.Status()
	if s.Counts.Confirmed < m.total {
		err = context.Cause(running)
	}
	stop(nil)
	watching.Wait()
	progress(s)
	return s.Counts.Confirmed, err
}

// watch tells how far it is, and ends what would never finish.
func (m *Move) watch(ctx context.Context, stop context.CancelCauseFunc, l *link.Link, progress func(link.Status)) {
	tick := time.NewTicker(moveTick)
	defer tick.Stop()
	for idle := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := l.Status()
		progress(s)
		if s.State == link.Paused {
			stop(fmt.Errorf("%w: %s", ErrPaused, s.Reason))
		}
		if s.State != link.Idle || s.Counts.Received != s.Counts.Confirmed {
			idle = 0
			continue
		}
		if idle++; idle%idleTicks == 0 {
			if ready, err := m.ready(ctx); err == nil && ready == 0 {
				stop(ErrDrained)
			}
		}
	}
}

// Close ends the connections.
func (m *Move) Close() { m.set.CloseExcept(nil) }
