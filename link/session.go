package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"weir/broker"
)

// openTimeout bounds one try to open an end.
const openTimeout = 30 * time.Second

// returnsLimit: a message that was given back so often must not be given back again and again, or a quorum queue up to
// RabbitMQ 4.2 drops it (delivery limit 20). The link pauses itself instead.
const returnsLimit = 10

// errHeldTooLong ends a session whose sink stayed away beyond the hold limit.
var errHeldTooLong = errors.New("no destination within the hold limit; messages were given back")

// pausedError ends a session after which the link pauses itself.
type pausedError struct{ reason string }

func (e *pausedError) Error() string { return "paused: " + e.reason }

// session is one life of a source: it is opened after a sink, and kept while sinks come and go.
type session struct {
	*Link
	soft   context.Context // ends when the link should stop: then the source is drained
	hard   context.Context // ends when draining has taken too long
	source broker.Source
	sink   broker.Sink
	pump   *pump
	window *window

	sinkRetry *delays
	opened    time.Time // when the sink was
	losses    int       // sinks lost in a row without progress
	settled   int64     // what was confirmed when the last sink was lost
}

// session runs until the source is drained after soft has ended (nil), delete-after is reached (errTaken), or a fault
// that the source does not survive.
func (l *Link) session(soft context.Context) (err error) {
	hard, cancel := drainContext(soft, l.spec.DrainTimeout)
	defer cancel()
	s := &session{Link: l, soft: soft, hard: hard, window: newWindow(l.spec), sinkRetry: newDelays(l.spec.Reconnect)}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
		err = errors.Join(err, s.close())
	}()
	l.board.enter(Starting, "")
	if err := s.openSink(soft); err != nil {
		return err
	}
	if err := s.openSource(); err != nil {
		return err
	}
	var helpers sync.WaitGroup
	helpersDone, stopHelpers := context.WithCancel(hard)
	defer helpers.Wait()
	defer stopHelpers()
	helpers.Go(func() {
		select {
		case <-soft.Done():
			// A failure shows at Receive.
			_ = s.source.Stop(hard)
		case <-helpersDone.Done():
		}
	})
	return s.rounds(helpersDone)
}

// drainContext ends limit after soft does.
func drainContext(soft context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	hard, cancel := context.WithCancel(context.WithoutCancel(soft))
	stop := context.AfterFunc(soft, func() {
		timer := time.AfterFunc(limit, cancel)
		context.AfterFunc(hard, func() { timer.Stop() })
	})
	return hard, func() { stop(); cancel() }
}

// rounds runs the pump until the source is gone or drained.
func (s *session) rounds(ctx context.Context) error {
	for {
		err := s.round(ctx)
		var lost *sinkError
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("not drained within %s; what was in flight was given back", s.spec.DrainTimeout)
		case errors.As(err, &lost):
			if err := s.replaceSink(lost.err); err != nil {
				return err
			}
		case errors.Is(err, errStuck):
			if err := s.treat(); err != nil {
				return err
			}
		case errors.Is(err, errTryHeld):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

// round is one round of the pump, watched.
func (s *session) round(ctx context.Context) error {
	forwarding, stopForwarding := context.WithCancelCause(ctx)
	defer stopForwarding(nil)
	watching, stopWatching := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stopWatching()
	watch.Go(func() { s.watch(watching, stopForwarding) })
	return s.pump.round(ctx, forwarding, stopForwarding, s.sink, s.pump.unresolved(), s.suspect())
}

// suspect: two sinks in a row were lost without progress. Perhaps one message kills them; so they are sent one by one,
// on a connection of their own, and the broker's answer tells which.
func (s *session) suspect() bool { return s.losses >= 2 }

func (s *session) openSource() error {
	ctx, cancel := context.WithTimeout(s.soft, openTimeout)
	defer cancel()
	if err := s.reckonTotal(ctx); err != nil {
		return err
	}
	o := s.spec.Source.Options
	o.Link, o.Site, o.Window = s.spec.Name, s.spec.Site, s.window.size
	source, err := s.spec.Source.Broker.OpenSource(ctx, s.spec.Source.At, o)
	if err != nil {
		return fmt.Errorf("open source %s: %w", s.spec.Source, err)
	}
	s.source = source
	s.pump = newPump(&s.spec, source, &s.board)
	s.pump.left = s.remaining()
	s.board.window.Store(int64(s.window.size))
	s.board.enter(Idle, "")
	s.log.Info("link open", "source", s.spec.Source.String(), "destination", s.spec.Destination.String(), "window", s.window.size)
	return nil
}

func (s *session) openSink(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	sink, err := s.spec.Destination.OpenSink(ctx, broker.SinkOptions{
		Link:        s.spec.Name,
		Site:        s.spec.Site,
		Unconfirmed: s.spec.AckMode != OnConfirm,
		Alone:       s.suspect(),
	})
	if err != nil {
		return fmt.Errorf("open destination %s: %w", s.spec.Destination, err)
	}
	s.sink, s.opened = sink, time.Now()
	return nil
}

// replaceSink opens another sink, with back-off, while the source keeps what it holds.
func (s *session) replaceSink(fault error) error {
	_ = s.sink.Close() // it is lost already
	if confirmed := s.board.confirmed.Load(); confirmed > s.settled {
		s.losses, s.settled = 0, confirmed
	}
	s.losses++
	s.board.reconnects.Add(1)
	s.log.Warn("destination lost, messages are held", "error", fault)

	deadline, cancel := context.WithTimeout(s.hard, s.spec.HoldLimit)
	defer cancel()
	var delay time.Duration // none after a session that lasted: most often another node is there at once
	if time.Since(s.opened) > s.spec.Reconnect.Max {
		s.sinkRetry.reset()
	} else {
		delay = s.sinkRetry.next()
	}
	for {
		attempt := s.board.fault(fault, delay)
		s.board.enter(Holding, fmt.Sprintf("destination lost: %v", fault))
		if !wait(deadline, delay) {
			if s.hard.Err() != nil {
				return fault
			}
			return errHeldTooLong
		}
		err := s.openSink(deadline)
		if err == nil {
			s.board.enter(Idle, "")
			s.log.Info("destination is back", "attempts", attempt)
			return nil
		}
		delay = s.sinkRetry.next()
		s.log.Warn("destination still away", "error", err, "attempt", attempt, "next-try", delay.Round(time.Millisecond))
		fault = err
	}
}

// close gives back what is unsettled and closes both ends.
func (s *session) close() error {
	var err error
	if s.source != nil {
		err = s.guardReturns()
		_ = s.source.Close() // what it held is the broker's again either way
	}
	if s.sink != nil {
		_ = s.sink.Close()
	}
	return err
}

// guardReturns pauses the link if it is about to give back, once more, what the broker has counted often enough.
func (s *session) guardReturns() error {
	for _, e := range s.pump.unresolved() {
		if e.m.Origin.Returns >= returnsLimit {
			return &pausedError{fmt.Sprintf("message %q was given back %d times; the queue's delivery limit would drop it",
				e.m.Properties.MessageID, e.m.Origin.Returns)}
		}
	}
	return nil
}
