package shovel

import (
	"cmp"
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
	*choice
	options broker.SinkOptions
	ctx     context.Context // ends at Close
	cancel  context.CancelFunc
	running sync.WaitGroup
	lost    chan struct{}

	taken      int      // where the last message went
	passedOver []string // and why not elsewhere

	unusable time.Time // since when every destination has been full or away; zero: one was not

	mu    sync.Mutex
	sinks []broker.Sink // by place, nil: not open
	gone  bool          // closed, or all are lost
}

func newChoiceSink(c *choice, o broker.SinkOptions) *choiceSink {
	ctx, cancel := context.WithCancel(context.Background())
	return &choiceSink{
		choice: c, options: o, ctx: ctx, cancel: cancel,
		lost: make(chan struct{}), sinks: make([]broker.Sink, len(c.places)),
	}
}

// open opens one destination.
func (s *choiceSink) open(ctx context.Context, i int) error {
	timed, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	sink, err := s.places[i].OpenSink(timed, s.options)
	if err != nil {
		if ctx.Err() == nil {
			s.absent(i, err)
		}
		return fmt.Errorf("%s: %w", s.places[i], err)
	}
	if !s.adopt(i, sink) {
		_ = sink.Close() // another one is open already, or none is wanted any more
	}
	return nil
}

// adopt takes a sink into use.
func (s *choiceSink) adopt(i int, sink broker.Sink) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || s.sinks[i] != nil {
		return false
	}
	s.sinks[i] = sink
	s.present(i)
	s.running.Go(func() { s.watch(i, sink) })
	return true
}

// watch tells of a sink's being blocked or lost.
func (s *choiceSink) watch(i int, sink broker.Sink) {
	for {
		var changed <-chan struct{}
		if b, ok := sink.(broker.Blocker); ok {
			_, changed = b.Blocked()
		}
		s.stir() // after the next change can be seen, so that none is missed
		select {
		case <-changed:
		case <-sink.Lost():
			s.drop(i, sink, broker.ErrLost)
			return
		case <-s.ctx.Done():
			return
		}
	}
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
	s.dropped(i, err)
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

// reopen tries again what is away, each by itself: one that is silent holds up no other.
func (s *choiceSink) reopen() {
	for i := range s.places {
		s.running.Go(func() {
			for pause(s.ctx, retryEvery) {
				if s.awayFrom(i) != "" && s.due(i) {
					_ = s.open(s.ctx, i) // noted as absent
				}
			}
		})
	}
}

// Send implements broker.Sink.
func (s *choiceSink) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	confirm, err := s.send(ctx, m, true)
	if errors.Is(err, errFull) {
		// The gate shuts now. What was received already is forwarded all the same.
		confirm, err = s.send(ctx, m, false)
	}
	return confirm, err
}

// errFull: every destination is full.
var errFull = fmt.Errorf("%w: every destination is full", broker.ErrNowhere)

// send sends to the first destination that may take m.
func (s *choiceSink) send(ctx context.Context, m *broker.Message, needRoom bool) (broker.Confirm, error) {
	var passedOver []string
	full, nowhere, blocked := 0, false, false
	for i, p := range s.places {
		if needRoom && p.full() != "" {
			passedOver = append(passedOver, p.Name+": "+p.full())
			full++
			continue
		}
		sink, why := s.sink(ctx, i)
		if sink == nil {
			passedOver = append(passedOver, p.Name+": "+why)
			continue
		}
		confirm, err := sink.Send(ctx, m)
		switch {
		case err == nil:
			s.use(i)
			s.taken, s.passedOver, s.unusable = i, passedOver, time.Time{}
			return confirm, nil
		case errors.Is(err, broker.ErrNowhere):
			nowhere = true
			passedOver = append(passedOver, p.Name+": "+ruledOutWhy(err))
		case errors.Is(err, broker.ErrBlocked):
			blocked = true
			passedOver = append(passedOver, p.Name+": "+err.Error())
		case ctx.Err() != nil:
			return nil, ctx.Err()
		default:
			s.drop(i, sink, err)
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case s.isGone():
		return nil, broker.ErrLost
	case full == len(s.places):
		return nil, errFull
	case blocked && !nowhere:
		return nil, broker.ErrBlocked
	case !nowhere:
		return nil, s.none(passedOver)
	}
	return nil, fmt.Errorf("%w: %s", broker.ErrNowhere, strings.Join(passedOver, "; "))
}

// reconnectWait is how long a destination that is away is waited for while every other one is full.
const reconnectWait = 5 * time.Second

// noneUsable is ErrBlocked, because every destination is full or away, whatever the message.
type noneUsable struct{ why string }

func (n noneUsable) Error() string { return "none can be used now: " + n.why }
func (n noneUsable) Unwrap() error { return broker.ErrBlocked }

// none is the answer while every destination is full or away: to wait, so that order is kept and what is in flight lands;
// and after a while that the session is lost, so that the link holds what it has and takes no more.
func (s *choiceSink) none(passedOver []string) error {
	why := strings.Join(passedOver, "; ")
	if s.unusable.IsZero() {
		s.unusable = time.Now()
	}
	if time.Since(s.unusable) < reconnectWait {
		return noneUsable{why}
	}
	return fmt.Errorf("%w: none can be used: %s", broker.ErrLost, why)
}

// sink returns the sink of a place, opened if need be, or why there is none.
func (s *choiceSink) sink(ctx context.Context, i int) (sink broker.Sink, why string) {
	if sink := s.current(i); sink != nil {
		return sink, ""
	}
	if why := s.awayFrom(i); why != "" {
		return nil, why
	}
	if err := s.open(ctx, i); err != nil {
		return nil, cmp.Or(s.awayFrom(i), err.Error())
	}
	return s.current(i), "lost again"
}

func (s *choiceSink) current(i int) broker.Sink {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sinks[i]
}

func (s *choiceSink) isGone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// Blocked implements broker.Blocker: messages wait if every destination that could be taken asks to wait.
func (s *choiceSink) Blocked() (string, <-chan struct{}) {
	changed := s.change()
	var first string
	needRoom := s.hasRoom()
	for i, p := range s.places {
		if needRoom && p.full() != "" || s.awayFrom(i) != "" {
			continue
		}
		reason := s.blocked(i)
		if reason == "" {
			return "", changed
		}
		if first == "" {
			first = reason
		}
	}
	return first, changed
}

// blocked says why an open destination asks to wait.
func (s *choiceSink) blocked(i int) string {
	b, ok := s.current(i).(broker.Blocker)
	if !ok {
		return ""
	}
	reason, _ := b.Blocked()
	return reason
}

// Route implements broker.Router.
func (s *choiceSink) Route() string {
	destination, passedOver := s.pick(func(i int) string {
		if why := s.unavailable(i); why != "" {
			return why
		}
		if reason := s.blocked(i); reason != "" {
			return "blocked: " + reason
		}
		return ""
	})
	if destination == "" {
		destination = "none"
	}
	if len(passedOver) > 0 {
		destination += " (passed over: " + strings.Join(passedOver, "; ") + ")"
	}
	return destination
}

// Taken implements broker.Router.
func (s *choiceSink) Taken() (to broker.Place, passedOver []string) {
	return s.choice.Places()[s.taken], s.passedOver
}

// Node implements broker.Connected: that of the sink which took the last message.
func (s *choiceSink) Node() string { return broker.NodeOf(s.current(s.taken)) }

// Lost implements broker.Sink.
func (s *choiceSink) Lost() <-chan struct{} { return s.lost }

// Close implements broker.Sink. A destination that was lost is noted as absent, so that the next session knows.
func (s *choiceSink) Close() error {
	s.mu.Lock()
	s.gone = true
	sinks := s.sinks
	s.sinks = make([]broker.Sink, len(sinks))
	s.mu.Unlock()
	s.cancel()
	for i, sink := range sinks {
		if sink == nil {
			continue
		}
		select {
		case <-sink.Lost():
			s.dropped(i, broker.ErrLost)
		default:
		}
		_ = sink.Close()
	}
	s.running.Wait()
	return nil
}
