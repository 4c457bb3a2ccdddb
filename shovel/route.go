package shovel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"weir/broker"
)

// choiceSink sends each message to the first destination that may take it. Destinations are opened when first needed;
// one that is away is tried again beside the flow, so that a preferred one is taken up again when it is back.
type choiceSink struct {
	choice  *choice
	options broker.SinkOptions
	ctx     context.Context // ends at Close
	cancel  context.CancelFunc
	running sync.WaitGroup
	lost    chan struct{}

	mu      sync.Mutex
	sinks   []broker.Sink // by place, nil: not open
	blocked broker.Blocker
	gone    bool
}

func newChoiceSink(c *choice, o broker.SinkOptions) *choiceSink {
	ctx, cancel := context.WithCancel(context.Background())
	return &choiceSink{
		choice: c, options: o, ctx: ctx, cancel: cancel,
		lost: make(chan struct{}), sinks: make([]broker.Sink, len(c.places)),
	}
}

// start begins to try again what is away.
func (s *choiceSink) start() { s.running.Go(s.reopen) }

// open opens one destination.
func (s *choiceSink) open(ctx context.Context, i int) error {
	p := s.choice.places[i]
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	sink, err := p.OpenSink(ctx, s.options)
	if err != nil {
		s.choice.absent(i, err)
		return fmt.Errorf("%s: %w", p, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || s.sinks[i] != nil {
		_ = sink.Close()
		return broker.ErrLost
	}
	s.sinks[i] = sink
	s.choice.present(i)
	s.running.Go(func() {
		select {
		case <-sink.Lost():
			s.drop(i, sink, broker.ErrLost)
		case <-s.ctx.Done():
		}
	})
	return nil
}

// drop forgets a sink that was lost. When the last one goes, so does the whole.
func (s *choiceSink) drop(i int, sink broker.Sink, err error) {
	_ = sink.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sinks[i] != sink {
		return
	}
	s.sinks[i] = nil
	s.choice.absent(i, err)
	for _, other := range s.sinks {
		if other != nil {
			return
		}
	}
	if !s.gone {
		s.gone = true
		close(s.lost)
	}
}

// reopen tries again what is away.
func (s *choiceSink) reopen() {
	for pause(s.ctx, s.choice.retry.Min) {
		for i := range s.choice.places {
			if s.choice.due(i) {
				_ = s.open(s.ctx, i) // noted as absent
			}
		}
	}
}

// due tells whether an absent place should be tried again.
func (c *choice) due(i int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.away[i].err != nil && time.Now().After(c.away[i].until)
}

// Send implements broker.Sink.
func (s *choiceSink) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	var passedOver []string
	var blocked broker.Blocker
	for i, p := range s.choice.places {
		if why := s.choice.unavailable(i); why != "" {
			passedOver = append(passedOver, p.Name+": "+why)
			continue
		}
		sink, err := s.sink(ctx, i)
		if err != nil {
			passedOver = append(passedOver, err.Error())
			continue
		}
		confirm, err := sink.Send(ctx, m)
		switch {
		case err == nil:
			s.setBlocked(nil)
			return confirm, nil
		case refuses(err):
			passedOver = append(passedOver, p.Name+": "+err.Error())
		case errors.Is(err, broker.ErrBlocked):
			if blocked == nil {
				blocked, _ = sink.(broker.Blocker)
			}
		case ctx.Err() != nil:
			return nil, ctx.Err()
		default:
			s.drop(i, sink, err)
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	s.setBlocked(blocked)
	if blocked != nil {
		return nil, broker.ErrBlocked
	}
	return nil, fmt.Errorf("%w: %s", broker.ErrNowhere, strings.Join(passedOver, "; "))
}

// sink returns the sink of a place, opened if need be.
func (s *choiceSink) sink(ctx context.Context, i int) (broker.Sink, error) {
	s.mu.Lock()
	sink := s.sinks[i]
	s.mu.Unlock()
	if sink != nil {
		return sink, nil
	}
	if err := s.open(ctx, i); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sinks[i] == nil {
		return nil, broker.ErrLost
	}
	return s.sinks[i], nil
}

func (s *choiceSink) setBlocked(b broker.Blocker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked = b
}

// Blocked implements broker.Blocker: it speaks of the destination that the last message had to wait for.
func (s *choiceSink) Blocked() (string, <-chan struct{}) {
	s.mu.Lock()
	b := s.blocked
	s.mu.Unlock()
	if b == nil {
		return "", nil
	}
	return b.Blocked()
}

// Route implements broker.Router.
func (s *choiceSink) Route() string {
	destination, passedOver := s.choice.route()
	if destination == "" {
		destination = "none"
	}
	if len(passedOver) > 0 {
		destination += " (passed over: " + strings.Join(passedOver, "; ") + ")"
	}
	return destination
}

// Lost implements broker.Sink.
func (s *choiceSink) Lost() <-chan struct{} { return s.lost }

// Close implements broker.Sink.
func (s *choiceSink) Close() error {
	s.mu.Lock()
	s.gone = true
	sinks := s.sinks
	s.sinks = make([]broker.Sink, len(sinks))
	s.mu.Unlock()
	s.cancel()
	for _, sink := range sinks {
		if sink != nil {
			_ = sink.Close()
		}
	}
	s.running.Wait()
	return nil
}
