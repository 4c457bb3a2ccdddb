package link

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"weir/broker"
)

// openTimeout bounds one try to open an end.
const openTimeout = 30 * time.Second

// returnsLimit: a message that was given back so often must not be given back again and again, or a quorum queue up to
// RabbitMQ 4.2 drops it (delivery limit 20). The link pauses itself instead.
const returnsLimit = 10

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

	sourceOpened, sinkOpened time.Time
	sinkRetry                *Backoff
	losses                   losses
	refusals                 refusals

	expired    uint64 // as the source has counted so far
	standstill standstill
	canTell    atomic.Bool  // the source has answered whether another consumer has its queue
	standsBy   atomic.Int64 // board.came + 1 when the source said that another consumer has the queue; 0: it has not
}

func (l *Link) newSession(soft context.Context) *session {
	return &session{
		Link:      l,
		soft:      soft,
		window:    newWindow(l.spec),
		sinkRetry: NewBackoff(l.spec.Reconnect),
		refusals:  refusals{retry: NewBackoff(l.spec.Reconnect)},
	}
}

// live runs until the source is drained after soft has ended (nil), delete-after is reached (errTaken), or a fault that
// the source does not survive. Then both ends are closed, which gives back what is unsettled.
func (s *session) live() error {
	return broker.Join(guard(s.run), guard(s.close))
}

// lasted tells whether the source was open for so long that a fault is no continuation of the one before.
func (s *session) lasted() bool {
	return !s.sourceOpened.IsZero() && time.Since(s.sourceOpened) > s.spec.Reconnect.Max
}

func (s *session) run() error {
	if err := s.openSink(s.soft); err != nil {
		return err
	}
	if err := s.openSource(); err != nil {
		return err
	}
	hard, end := context.WithCancelCause(context.WithoutCancel(s.soft))
	s.hard = hard
	var stopper sync.WaitGroup
	defer stopper.Wait()
	defer end(nil)
	stopper.Go(func() { s.drain(end) })
	asking, ask := context.WithCancel(s.soft)
	defer ask()
	stopper.Go(func() { s.askStanding(asking) })
	if s.spec.Heartbeat > 0 {
		stopper.Go(func() { s.beat(asking) })
	}
	for {
		if err := s.settleRefused(); err != nil {
			return err
		}
		err := s.round()
		lost, sinkLost := errors.AsType[*sinkError](err)
		switch {
		case s.hard.Err() != nil:
			return context.Cause(s.hard)
		case sinkLost:
			err = s.replaceSink(lost.err)
		case errors.Is(err, errStuck):
			err = s.awaitRetry()
		case errors.Is(err, errRetried):
			continue
		case errors.Is(err, errTryHeld):
			err = s.giveBackOverdue()
		case errors.Is(err, errNoPlace):
			err = s.awaitPlace()
		}
		switch {
		case errors.Is(err, errDrained) && s.soft.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
}

// drain stops the source when soft ends, and calls end if what was delivered is not settled in time, or cannot be: what
// a lost source has delivered is others' by now, and would only come twice.
func (s *session) drain(end context.CancelCauseFunc) {
	select {
	case <-s.soft.Done():
	case <-s.hard.Done():
		return
	}
	timer := time.AfterFunc(s.spec.DrainTimeout, func() {
		end(fmt.Errorf("not drained within %s; what was in flight was given back", s.spec.DrainTimeout))
	})
	defer timer.Stop()
	if err := guard(func() error { return s.source.Stop(s.hard) }); err != nil && s.hard.Err() == nil {
		s.log.Debug("source not stopped", "error", err)
		if s.spec.AckMode != NoAck { // then nobody else has it
			end(&sourceError{err})
		}
	}
	<-s.hard.Done()
}

// round is one round of the pump, watched.
func (s *session) round() error {
	r := s.pump.begin(s.hard, s.sink, s.losses.suspicious)
	watching, stop := context.WithCancel(s.hard)
	var (
		watch    sync.WaitGroup
		watchErr error
	)
	watch.Go(func() {
		watchErr = guard(func() error { s.watch(watching, r); return nil })
		if watchErr != nil { // nobody looks at this round any more: it must end
			r.halt(watchErr)
			_ = guard(s.sink.Close)
		}
	})
	err := r.run()
	stop()
	watch.Wait()
	if r.passed {
		s.losses.suspicious = false
	}
	if watchErr != nil {
		return watchErr
	}
	if lost, ok := errors.AsType[*sinkError](err); ok && r.givenUp != nil {
		lost.err = r.givenUp
	}
	return err
}

func (s *session) openSource() error {
	ctx, cancel := context.WithTimeout(s.soft, openTimeout)
	defer cancel()
	if err := s.reckonTotal(ctx); err != nil {
		return err
	}
	left := s.remaining()
	if s.spec.DeleteAfter != 0 {
		s.window.atMost(int(max(left, 1))) // what is taken beyond would only be given back
	}
	o := s.spec.Source.Options
	o.Link, o.Site, o.Window, o.MaxWindow = s.spec.Name, s.spec.Site, s.window.total(), s.window.most()
	source, err := s.spec.Source.Broker.OpenSource(ctx, s.spec.Source.At, o)
	if err != nil {
		return fmt.Errorf("open source %s: %w", s.spec.Source, err)
	}
	s.source, s.sourceOpened = source, time.Now()
	if stepper, ok := source.(broker.Stepper); ok {
		s.window.opened(stepper.Steps()[0])
	}
	s.pump = newPump(&s.spec, source, &s.board)
	s.pump.left = left
	s.board.window.Store(int64(s.window.total()))
	s.board.enter(Idle, "")
	s.log.Info("link open", "source", s.spec.Source.String(), "destination", s.spec.Destination.String(), "window", s.window.total())
	return nil
}

func (s *session) openSink(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	sink, err := s.spec.Destination.OpenSink(ctx, broker.SinkOptions{
		Link:        s.spec.Name,
		Site:        s.spec.Site,
		Unconfirmed: s.spec.AckMode != OnConfirm,
		Alone:       s.losses.suspicious,
	})
	if err != nil {
		return fmt.Errorf("open destination %s: %w", s.spec.Destination, err)
	}
	s.sink, s.sinkOpened = sink, time.Now()
	return nil
}

// close gives back what is unsettled and closes both ends.
func (s *session) close() error {
	var err error
	if s.source != nil {
		err = s.guardReturns()
		s.countExpired()
		_ = s.source.Close() // what it held is the broker's again either way
		s.tellStranded()
		s.pump.abandon()
		s.board.held.Store(0)
	}
	if s.sink != nil {
		_ = s.sink.Close()
	}
	return err
}

// tellStranded tells how many messages had nowhere to go, if that is why they are given back.
func (s *session) tellStranded() {
	if s.spec.Stranded == nil || s.soft.Err() == nil {
		return
	}
	n := 0
	for _, e := range s.pump.held {
		if e.isStranded() {
			n++
		}
	}
	s.spec.Stranded(n)
}

// guardReturns pauses the link if it is about to give back, once more, what the broker has counted often enough.
func (s *session) guardReturns() error {
	for _, e := range s.pump.held {
		if err := returnable(e.m); err != nil {
			return err
		}
	}
	return nil
}

// returnable is nil, or pauses the link, because m has been given back too often.
func returnable(m *broker.Message) error {
	if m.Origin.Returns < returnsLimit {
		return nil
	}
	return &pausedError{fmt.Sprintf("message %q was given back %d times; the queue's delivery limit would drop it",
		m.Properties.MessageID, m.Origin.Returns)}
}
