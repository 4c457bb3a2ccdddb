package link_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// heartbeat is one of some link, in the queue "in".
func (r *rig) heartbeat(site, name string, at time.Time) {
	r.Helper()
	err := r.from.Publish(&broker.Message{RoutingKey: "in", Headers: broker.Table{
		link.HeartbeatHeader: broker.Table{"site": site, "link": name, "at": at.UnixMicro()},
	}})
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) heart() *link.HeartbeatStatus { return r.link.Status().Heartbeat }

// lag is the last one told, -1 if none is.
func (r *rig) lag() float64 {
	if h := r.heart(); h != nil && h.Seconds != nil {
		return *h.Seconds
	}
	return -1
}

// publishes counts heartbeats sent by the link, and may refuse them.
type publishes struct {
	broker.Broker
	sent   times
	last   atomic.Pointer[broker.Message]
	refuse func() error
}

func (p *publishes) OpenSink(ctx context.Context, at broker.Address, o broker.SinkOptions) (broker.Sink, error) {
	s, err := p.Broker.OpenSink(ctx, at, o)
	if err != nil {
		return nil, err
	}
	return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
		if p.refuse != nil {
			if err := p.refuse(); err != nil {
				return nil, err
			}
		}
		p.sent.note()
		p.last.Store(m)
		return s.Send(ctx, m)
	}}, nil
}

func (r *rig) beats() *publishes {
	p := &publishes{Broker: r.source}
	r.spec.Source.Broker = p
	r.spec.Heartbeat = 10 * time.Second
	return p
}

// An idle link tells that what is put into its source would arrive, and nothing shows but that.
func TestHeartbeatOfAnIdleLink(t *testing.T) {
	play(t, func(r *rig) {
		p := r.beats()
		r.start()
		r.until(11*time.Second, "the first one is back", func() bool { return r.lag() >= 0 })
		r.during(10*time.Minute, "it is idle", func() bool { return r.state() == link.Idle })
		if n := len(p.sent.all()); n < 55 || n > 61 {
			r.Errorf("%d heartbeats in ten minutes", n)
		}
		h := r.heart()
		if r.lag() > 0.01 || h.Every != 10 || h.Missed != 0 || h.Problem != "" || time.Since(h.LastAt) > 10*time.Second {
			r.Errorf("heartbeat %+v, lag %v", h, r.lag())
		}
		s := r.link.Status()
		if s.Counts != (link.Counts{}) {
			r.Errorf("counts %+v", s.Counts)
		}
		if n := sum(s.Waits) + sum(s.Confirms) + sum(s.Transits); n != 0 {
			r.Errorf("%d in the histograms", n)
		}
		if p := p.last.Load().Properties; p.DeliveryMode != 1 || p.Expiration != "1000000" {
			r.Errorf("it is not transient, or never expires: %+v", p)
		}
		r.until(time.Second, "the last one is back", func() bool { return r.remain() == 0 })
		r.same("what arrived", r.out(), nil)
	})
}

func sum(h link.Histogram) (n int64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// The lag is until all that was put in before has been confirmed: 20 messages of a second each.
func TestHeartbeatTellsTheLag(t *testing.T) {
	play(t, func(r *rig) {
		p := r.beats()
		r.spec.Window = 1
		r.to.Latency(time.Second)
		r.start()
		r.reaches(time.Second, link.Idle)
		r.after(9 * time.Second)
		r.put(20)
		r.until(40*time.Second, "one is back", func() bool { return r.lag() >= 0 })
		if lag := r.lag(); lag < 18 || lag > 20 {
			r.Errorf("the lag is %v", lag)
		}
		if n := len(p.sent.all()); n != 1 {
			r.Errorf("%d were sent meanwhile", n)
		}
		r.exactly(20)
	})
}

// One that somebody else takes is missed, another one is sent, and later and later; when one is back all is well.
func TestHeartbeatThatDoesNotComeBack(t *testing.T) {
	play(t, func(r *rig) {
		p := r.beats()
		clog := r.clogs()
		r.from.HideDepth(true) // or the link would be stuck, and send none
		r.start()
		r.until(11*time.Second, "one is sent", func() bool { return len(p.sent.all()) == 1 })
		r.during(49*time.Second, "nothing is said yet", func() bool { return r.heart().Problem == "" })
		r.until(2*time.Second, "it is told", func() bool { return r.heart().Problem != "" })
		r.contains("the problem", r.heart().Problem, "none has come back for 50s")
		r.until(10*time.Second, "it is missed", func() bool { return r.heart().Missed == 1 })
		r.after(10 * time.Minute)
		if n := len(p.sent.all()); n != 4 { // after 10, 60, 160 and 360 s
			r.Errorf("%d are out", n)
		}
		if r.lag() >= 0 {
			r.Errorf("the lag is %v", r.lag())
		}
		if n := r.log.lines("heartbeat has not come back"); n != 1 {
			r.Errorf("logged %d times", n)
		}
		clog.Store(false)
		r.until(30*time.Second, "all is well", func() bool { return r.heart().Problem == "" && r.lag() >= 0 })
		r.until(time.Minute, "the lag is small again", func() bool { return r.lag() < 1 })
		r.same("what arrived", r.out(), nil)
	})
}

// Whosever it is, it goes nowhere; that of this link counts, whichever gateway has sent it.
func TestHeartbeatsAreNotForwarded(t *testing.T) {
	for name, mode := range map[string]link.AckMode{"on-confirm": link.OnConfirm, "on-publish": link.OnPublish, "no-ack": link.NoAck} {
		t.Run(name, func(t *testing.T) {
			play(t, func(r *rig) {
				r.spec.AckMode, r.spec.Heartbeat, r.spec.DeleteAfter = mode, time.Hour, 20
				seen := 0
				r.spec.Observe = func(*broker.Message, string) link.Trail { seen++; return nil }
				r.put(10)
				r.heartbeat("there", "orders", time.Now())
				r.heartbeat("here", "invoices", time.Now())
				r.put(9)
				r.start()
				r.arrived(5*time.Second, 19)
				r.until(5*time.Second, "the source is empty", func() bool { return r.remain() == 0 })
				if h := r.heart(); !h.LastAt.IsZero() {
					r.Errorf("one of another link counts: %+v", h)
				}
				r.heartbeat("here", "orders", time.Now().Add(-3*time.Second))
				r.until(5*time.Second, "its own counts", func() bool { return r.lag() >= 3 })
				r.until(5*time.Second, "the source is empty", func() bool { return r.remain() == 0 })
				r.from.Cut() // what is left of delete-after is reckoned anew
				r.reaches(5*time.Second, link.Retrying)
				r.reaches(5*time.Second, link.Idle)
				r.put(1)
				r.reaches(5*time.Second, link.Finished)
				r.empty()
				r.exactly(20)
				if seen != 20 {
					r.Errorf("%d were observed", seen)
				}
				if n := r.link.Status().Counts.Received; n != 20 {
					r.Errorf("%d received", n)
				}
			})
		})
	}
}

// Off, nothing is sent; and an application's message is one, whatever header it has.
func TestNoHeartbeatByDefault(t *testing.T) {
	play(t, func(r *rig) {
		p := r.beats()
		r.spec.Heartbeat = 0
		err := r.from.Publish(&broker.Message{RoutingKey: "in", Body: []byte("000000"), Headers: broker.Table{
			link.HeartbeatHeader: broker.Table{},
		}})
		if err != nil {
			r.Fatal(err)
		}
		r.start()
		r.after(10 * time.Minute)
		r.exactly(1)
		if h := r.heart(); h != nil || len(p.sent.all()) > 0 {
			r.Errorf("heartbeat %+v, %d sent", h, len(p.sent.all()))
		}
	})
}

// A message that could not be brought over speaks against the link: what follows it proves nothing.
func TestHeartbeatBehindAMessageWithNowhereToGo(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Heartbeat = time.Hour
		nowhere := true
		r.spec.Destination = destination{Destination: r.spec.Destination, wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
			return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
				if nowhere {
					return nil, broker.ErrNowhere
				}
				return s.Send(ctx, m)
			}}
		}}
		r.put(1)
		r.heartbeat("here", "orders", time.Now())
		r.start()
		r.until(5*time.Second, "only the message is left", func() bool { return r.remain() == 1 })
		r.after(time.Second)
		if r.lag() >= 0 {
			r.Errorf("the lag is %v", r.lag())
		}
		nowhere = false
		r.arrived(20*time.Second, 1)
		r.heartbeat("here", "orders", time.Now())
		r.until(5*time.Second, "the next one counts", func() bool { return r.lag() >= 0 })
	})
}

// One that could not be sent is told, logged once, and tried again; messages flow meanwhile.
func TestHeartbeatThatCannotBeSent(t *testing.T) {
	play(t, func(r *rig) {
		p := r.beats()
		full := true
		p.refuse = func() error {
			if full {
				return broker.ErrRefused
			}
			return nil
		}
		r.start()
		r.until(11*time.Second, "it is told", func() bool { return r.heart().Problem != "" })
		r.contains("the problem", r.heart().Problem, "not sent: refused by the broker")
		r.put(10)
		r.arrived(5*time.Second, 10)
		r.after(time.Minute)
		if n := r.log.lines("heartbeat not sent"); n != 1 {
			r.Errorf("logged %d times", n)
		}
		full = false
		r.until(15*time.Second, "all is well", func() bool { return r.heart().Problem == "" && r.lag() >= 0 })
		if s := r.link.Status(); s.Counts.Reconnects != 0 || s.Heartbeat.Missed != 0 {
			r.Errorf("status %+v", s)
		}
	})
}

// While the destination is away, or the link has nothing to do with its queue, none is sent.
func TestNoHeartbeatWhileNothingMayMove(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(r *rig)
		state   link.State
	}{
		"holding": {func(r *rig) {
			r.put(1)
			r.to.Latency(time.Second)
			r.spec.HoldLimit = time.Hour
			time.AfterFunc(500*time.Millisecond, func() { r.to.Down(errAway); r.to.Cut() })
		}, link.Holding},
		"standing by": {func(r *rig) {
			_, set := r.stands()
			set(true, nil)
			r.spec.Heartbeat = time.Minute
		}, link.Standby},
		"paused": {func(r *rig) { r.spec.Paused = true }, link.Paused},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(r *rig) {
				p := r.beats()
				c.prepare(r)
				r.start()
				r.reaches(30*time.Second, c.state)
				before := len(p.sent.all())
				r.after(20 * time.Minute)
				if n := len(p.sent.all()); n > before {
					r.Errorf("%d sent", n-before)
				}
				if h := r.heart(); h.Missed != 0 || h.Problem != "" {
					r.Errorf("heartbeat %+v", h)
				}
			})
		})
	}
}
