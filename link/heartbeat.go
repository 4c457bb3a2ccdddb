package link

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"weir/broker"
)

// HeartbeatHeader marks a heartbeat: a message without a body that a link puts into its own source queue, to see it come
// back. The header is a table: the link's site and name, and when it was sent, in microseconds since 1970. No link brings
// a heartbeat to a destination, whosever it is.
const HeartbeatHeader = "x-weir-heartbeat"

// A heartbeat that is not back after heartbeatPatience intervals is missed, and another is sent, twice as late each time:
// so a queue with a large backlog holds a few of them at most. They expire much later, so that none stays for good where a
// link was removed; not soon, because what expires goes to the queue's dead-letter exchange.
const (
	heartbeatPatience = 5
	heartbeatLife     = 100
	heartbeatTimeout  = 10 * time.Second
)

// HeartbeatStatus tells of the heartbeats of a link that sends them.
type HeartbeatStatus struct {
	Every float64 `json:"every-seconds"`
	// LastAt is when one last came back, from this gateway or another one with the same link.
	LastAt time.Time `json:"last-at,omitzero"`
	// Seconds are the lag of the link: from when that one was put into the source until everything that was received
	// before it had been confirmed. nil if none has come back for several intervals.
	Seconds *float64 `json:"lag-seconds,omitempty"`
	// Missed counts those that were not back in time.
	Missed int64 `json:"missed"`
	// Problem is why none is sent, or for how long none has come back. Empty: all is well.
	Problem string `json:"problem,omitempty"`
}

// isHeartbeat tells whether m is for links only.
func isHeartbeat(m *broker.Message) bool {
	if len(m.Body) > 0 {
		return false
	}
	_, is := m.Headers[HeartbeatHeader].(broker.Table)
	return is
}

// heartbeat is a message to be put into queue.
func (s *Spec) heartbeat(queue string, at time.Time) *broker.Message {
	return &broker.Message{
		RoutingKey: queue,
		Properties: broker.Properties{
			DeliveryMode: 1,
			Expiration:   strconv.FormatInt((heartbeatLife * s.Heartbeat).Milliseconds(), 10),
		},
		Headers: broker.Table{HeartbeatHeader: broker.Table{"site": s.Site, "link": s.Name, "at": at.UnixMicro()}},
	}
}

// heart is what a link knows of its heartbeats, across its sessions.
type heart struct {
	mu       sync.Mutex
	sent     time.Time     // the last one, while it is out
	first    time.Time     // the first one that nothing has come back since; zero: none is out
	patience time.Duration // after sent, another one is sent
	back     time.Time     // when one last came back
	lag      time.Duration // of that one
	missed   int64
	err      error // why the last one was not sent
}

// due tells whether another one is to be sent now, which is out then. missed: for the first time since one came back, one
// was not back in time.
func (h *heart) due(every time.Duration, now time.Time) (due, missed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.sent.IsZero():
		h.first, h.patience = now, heartbeatPatience*every
	case now.Sub(h.sent) < h.patience:
		return false, false
	default:
		h.missed++
		missed = h.patience == heartbeatPatience*every
		h.patience *= 2
	}
	h.sent = now
	return true, missed
}

// failed notes that the one that was due is not in the queue, as far as is known; nil: it is. It tells whether that is news.
func (h *heart) failed(err error) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	news = (err == nil) != (h.err == nil)
	h.err = err
	if err != nil {
		h.sent, h.first = time.Time{}, time.Time{}
	}
	return news
}

// forget expects none any more: another gateway has the queue.
func (h *heart) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent, h.first, h.err = time.Time{}, time.Time{}, nil
}

// returned notes that one has come back which was sent then.
func (h *heart) returned(sent, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.back, h.lag = now, max(0, now.Sub(sent))
	h.first = time.Time{}
	if sent.Before(h.sent) {
		h.first = h.sent
	} else {
		h.sent = time.Time{}
	}
}

func (h *heart) status(every time.Duration, now time.Time) *HeartbeatStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &HeartbeatStatus{Every: every.Seconds(), LastAt: h.back, Missed: h.missed}
	if !h.back.IsZero() && now.Sub(h.back) < heartbeatPatience*every {
		lag := h.lag.Seconds()
		s.Seconds = &lag
	}
	if h.err != nil {
		s.Problem = "not sent: " + h.err.Error()
	} else if out := now.Sub(h.first); !h.first.IsZero() && out >= heartbeatPatience*every {
		s.Problem = fmt.Sprintf("none has come back for %v", out.Round(time.Second))
	}
	return s
}

// beat sends heartbeats until ctx ends, as long as messages may move.
func (s *session) beat(ctx context.Context) {
	out := heartbeats{session: s}
	defer out.close()
	heart := &s.board.heart
	defer func() {
		if s.soft.Err() != nil { // paused, shut or stopped: nothing is expected to come
			heart.forget()
		}
	}()
	for wait(ctx, s.spec.Heartbeat) {
		switch s.board.current() {
		case Idle, Running:
		case Standby:
			heart.forget()
			continue
		default:
			continue
		}
		now := time.UnixMicro(time.Now().UnixMicro()) // as it comes back
		due, missed := heart.due(s.spec.Heartbeat, now)
		if missed {
			s.log.Warn("heartbeat has not come back", "within", heartbeatPatience*s.spec.Heartbeat)
		}
		if !due {
			continue
		}
		err := guard(func() error { return out.send(ctx, now) })
		if ctx.Err() != nil {
			return
		}
		if heart.failed(err) {
			if err != nil {
				s.log.Warn("heartbeat not sent", "error", err)
			} else {
				s.log.Info("heartbeat sent again")
			}
		}
	}
}

// heartbeats is a sink to the source queue, which is opened when it is needed.
type heartbeats struct {
	*session
	sink broker.Sink
}

// send puts a heartbeat into the queue and waits until it is there.
func (h *heartbeats) send(ctx context.Context, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	defer cancel()
	queue := h.spec.Source.At.Queue
	if h.sink == nil {
		sink, err := h.spec.Source.Broker.OpenSink(ctx, broker.Address{Queue: queue},
			broker.SinkOptions{Link: h.spec.Name, Site: h.spec.Site, Predeclared: true})
		if err != nil {
			return err
		}
		h.sink = sink
	}
	err := broker.SendOne(ctx, h.sink, h.spec.heartbeat(queue, at))
	if err != nil {
		h.close() // whatever is wrong with it
	}
	return err
}

func (h *heartbeats) close() {
	if h.sink != nil {
		_ = guard(h.sink.Close)
		h.sink = nil
	}
}

// swallow has a heartbeat go through the flight as what the destination does not want.
func (r *round) swallow(e entry) {
	answer := &broker.Answer{}
	answer.Settle(broker.ErrUnwanted)
	e.confirm = answer
	r.flight.push(e)
}

// heard notes a heartbeat of this link after everything that was received before it is confirmed.
func (r *round) heard(m *broker.Message) {
	told, _ := m.Headers[HeartbeatHeader].(broker.Table)
	at, ok := told["at"].(int64)
	if ok && told["site"] == r.spec.Site && told["link"] == r.spec.Name {
		r.board.heart.returned(time.UnixMicro(at), time.Now())
	}
}
