package link_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

var errAway = errors.New("connection refused")

// Fifty failures in a row, half of them while opening and half while sending, on a queue that drops what comes back more
// than 20 times.
func TestFiftySinkFailuresGiveNothingBack(t *testing.T) {
	play(t, func(r *rig) {
		r.from.Declare("dead", memory.Queue{})
		r.from.Declare("quorum", memory.Queue{DeliveryLimit: 20, DeadLetter: "dead"})
		r.spec.Source.At = broker.Address{Queue: "quorum"}
		for i := range 500 {
			r.from.Put("quorum", number(i))
		}
		failures := 0
		r.spec.Destination = destination{
			Destination: r.spec.Destination,
			open: func(context.Context, broker.SinkOptions) error {
				if sources, _ := r.from.Opened(); sources > 0 && failures < 50 && failures%2 == 1 {
					failures++
					return errAway
				}
				return nil
			},
			wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
				return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
					if failures < 50 && failures%2 == 0 {
						failures++
						r.to.Cut()
					}
					return s.Send(ctx, m)
				}}
			},
		}
		r.start()
		r.arrived(5*time.Minute, 500)
		r.after(time.Second)
		if failures != 50 {
			r.Errorf("%d failures", failures)
		}
		r.exactly(500)
		if again := r.source.returned(); len(again) > 0 {
			r.Errorf("given back: %s", brief(again))
		}
		if n := len(r.from.Bodies("dead")); n > 0 {
			r.Errorf("%d messages were dead-lettered", n)
		}
		if sources, _ := r.from.Opened(); sources != 1 {
			r.Errorf("the source was opened %d times", sources)
		}
	})
}

// What was confirmed is not sent again; what was not, is, in order.
func TestLostSinkIsReplacedAndTheUnconfirmedIsSentAgainInOrder(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 100
		r.to.Latency(10 * time.Millisecond)
		r.put(1000)
		r.start()
		for i := range 8 {
			r.arrived(time.Minute, 100*(i+1))
			r.to.Cut()
		}
		r.arrived(time.Minute, 1000)
		r.after(time.Second)
		// The broker drops what is on the way when it is cut, so whatever comes twice was confirmed and sent again.
		r.exactly(1000)
		r.empty()
		if again := r.source.returned(); len(again) > 0 {
			r.Errorf("%d messages were given back", len(again))
		}
		if n := r.link.Status().Counts.Reconnects; n != 8 {
			r.Errorf("%d reconnects, want 8", n)
		}
	})
}

func TestDuplicatesAfterALostSinkAreBoundedByTheWindow(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 50
		r.put(400)
		r.to.HoldConfirms() // stored, but nobody is told
		r.start()
		r.arrived(5*time.Second, 50)
		r.to.Cut()
		r.after(time.Second)
		r.to.ReleaseConfirms()
		r.after(10 * time.Second)
		r.complete(400, 50)
		r.empty()
	})
}

func TestSinkLostWhileIdleIsReplaced(t *testing.T) {
	play(t, func(r *rig) {
		r.start()
		r.reaches(5*time.Second, link.Idle)
		r.to.Cut()
		r.reaches(5*time.Second, link.Idle)
		r.put(10)
		r.arrived(time.Second, 10)
		r.exactly(10)
	})
}

// A link that is idle for long, and whose destination restarts now and then, suspects no message.
func TestSinksLostWhileIdleRaiseNoSuspicion(t *testing.T) {
	play(t, func(r *rig) {
		alone := 0
		r.spec.Destination = destination{
			Destination: r.spec.Destination,
			wrap: func(s broker.Sink, o broker.SinkOptions) broker.Sink {
				if o.Alone {
					alone++
				}
				return s
			},
		}
		r.start()
		r.reaches(5*time.Second, link.Idle)
		for range 10 {
			r.to.Cut()
			r.after(time.Hour)
		}
		if alone > 0 {
			r.Errorf("%d times on a connection of its own", alone)
		}
		if sources, _ := r.from.Opened(); sources != 1 {
			r.Errorf("the source was opened %d times", sources)
		}
	})
}

func TestLostSourceLosesNothing(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 20
		r.to.Latency(5 * time.Millisecond)
		r.put(500)
		r.start()
		for i := range 4 {
			r.arrived(time.Minute, 100*(i+1))
			r.from.Cut()
		}
		r.until(time.Minute, "the source is empty", func() bool { return r.unacked()+len(r.from.Bodies("in")) == 0 })
		r.complete(500, 4*20)
	})
}

func TestBothEndsCutLoseNothing(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 20
		r.to.Latency(5 * time.Millisecond)
		r.put(500)
		r.start()
		for i := range 4 {
			r.arrived(time.Minute, 100*(i+1))
			r.to.Cut()
			r.from.Cut()
		}
		r.until(time.Minute, "the source is empty", func() bool { return r.unacked()+len(r.from.Bodies("in")) == 0 })
		// What is held when both are cut goes out once more before the loss of the source is seen.
		r.complete(500, 4*2*20)
	})
}

func TestOpeningIsTriedWithBackOffAndNeverGivenUp(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Reconnect = link.Delays{Min: 500 * time.Millisecond, Max: 30 * time.Second}
		var noted times
		r.spec.Destination = destination{
			Destination: r.spec.Destination,
			open:        func(context.Context, broker.SinkOptions) error { noted.note(); return errAway },
		}
		r.put(1)
		r.start()
		r.after(24 * time.Hour)
		tries := noted.all()
		if n := len(tries); n < 24*60*2 || n > 24*60*8 {
			r.Errorf("%d tries in a day, want one every 15 s or so", n)
		}
		if first := tries[3].Sub(tries[0]); first > 3500*time.Millisecond {
			r.Errorf("the first three tries took %v", first)
		}
		s := r.link.Status()
		if s.State != link.Retrying || s.Attempt < len(tries)-1 || !strings.Contains(s.Reason, "connection refused") {
			r.Errorf("status %+v", s)
		}
		if age := time.Since(s.Since); age < 23*time.Hour {
			r.Errorf("retrying since %v ago, want a day", age)
		}
		if left := time.Until(s.NextTry); left < 0 || left > 30*time.Second {
			r.Errorf("next try in %v", left)
		}
		if sources, _ := r.from.Opened(); sources > 0 {
			r.Error("it consumes though it cannot send")
		}
		if n := len(tries); r.log.lines("state=retrying") != n {
			r.Errorf("%d lines in the log for %d tries", r.log.lines("state=retrying"), n)
		}
	})
}

// A session that begins and falls at once keeps the back-off; one that lasted starts it anew.
func TestBackOffIsResetOnlyAfterASessionThatLasted(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Reconnect = link.Delays{Min: 100 * time.Millisecond, Max: 10 * time.Second}
		r.start()
		opened := func() int { sources, _ := r.from.Opened(); return sources }
		var began time.Time
		for i := range 30 {
			if i == 20 {
				began = time.Now()
			}
			r.until(time.Minute, "it is open", func() bool { return opened() == i+1 })
			r.from.Cut()
		}
		if mean := time.Since(began) / 10; mean < time.Second {
			r.Errorf("after many short sessions, one every %v", mean)
		}
		r.until(time.Minute, "it is open", func() bool { return opened() == 31 })
		r.after(11 * time.Second)
		r.from.Cut()
		r.until(250*time.Millisecond, "it is open again soon", func() bool { return opened() == 32 })
	})
}

func TestOverdueConfirmGivesUpTheSessionAndSendsAgain(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.ConfirmTimeout = 5 * time.Second
		r.to.HoldConfirms()
		r.put(10)
		r.start()
		r.during(4*time.Second, "it waits", func() bool { _, sinks := r.to.Opened(); return sinks <= 1 })
		r.until(5*time.Second, "another session", func() bool { _, sinks := r.to.Opened(); return sinks == 2 })
		r.contains("the last error", r.link.Status().LastError, "no confirm within 5s")
		r.to.ReleaseConfirms()
		r.after(10 * time.Second)
		r.complete(10, 20)
		r.empty()
	})
}

// A sink may say that it is lost without ever answering what is in flight; closing it must free what waits.
func TestFailedSendFreesWhatIsInFlight(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.ConfirmTimeout = time.Hour
		r.to.Latency(time.Hour)
		var sent atomic.Int64
		r.spec.Destination = destination{
			Destination: r.spec.Destination,
			wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
				return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
					if sent.Add(1) == 5 {
						return nil, errAway
					}
					return s.Send(ctx, m)
				}}
			},
		}
		r.put(10)
		r.start()
		r.until(time.Second, "five are sent", func() bool { return sent.Load() == 5 })
		r.to.Latency(0)
		r.arrived(5*time.Second, 10)
		r.exactly(10)
	})
}

func TestDeniedIsAState(t *testing.T) {
	for _, end := range []string{"source", "destination"} {
		t.Run(end, func(t *testing.T) {
			play(t, func(r *rig) {
				r.from.Declare("forbidden", memory.Queue{})
				r.to.Declare("forbidden", memory.Queue{})
				r.from.Deny("forbidden")
				r.to.Deny("forbidden")
				at := broker.Address{Queue: "forbidden"}
				if end == "source" {
					r.spec.Source.At = at
				} else {
					r.spec.Destination = link.To{Name: "us", Broker: r.to, At: at}
				}
				r.start()
				s := r.reaches(time.Second, link.Denied)
				r.contains("the reason", s.Reason, "access denied")
				if left := time.Until(s.NextTry); left < time.Second || left > 2*time.Second {
					r.Errorf("next try in %v, want the longest delay", left)
				}
			})
		})
	}
}

// A permission that is taken away from a running link shows, too, and what it holds stays held.
func TestDeniedWhileRunning(t *testing.T) {
	play(t, func(r *rig) {
		r.start()
		r.reaches(5*time.Second, link.Idle)
		r.to.Deny("out")
		r.to.Cut()
		s := r.reaches(time.Second, link.Denied)
		r.contains("the reason", s.Reason, "access denied")
	})
}

// chokes is a destination with a poison message: on it the session is lost, with all that is in flight. Alone in flight,
// the broker's answer is known to be about it.
func chokes(r *rig, poison string, answer error) destination {
	return destination{
		Destination: r.spec.Destination,
		wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
			return &choke{Sink: s, poison: poison, answer: answer}
		},
	}
}

type choke struct {
	broker.Sink
	poison string
	answer error

	mu       sync.Mutex
	inFlight []broker.Confirm
}

func (c *choke) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if string(m.Body) != c.poison {
		confirm, err := c.Sink.Send(ctx, m)
		if err == nil {
			c.inFlight = append(c.inFlight, confirm)
		}
		return confirm, err
	}
	answer := &broker.Answer{}
	time.AfterFunc(5*time.Millisecond, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		alone := !slices.ContainsFunc(c.inFlight, func(other broker.Confirm) bool {
			return other != answer && errors.Is(other.Err(), broker.ErrPending)
		})
		if alone {
			answer.Settle(c.answer)
		}
		answer.Settle(broker.ErrLost)
		_ = c.Close()
	})
	c.inFlight = append(c.inFlight, answer)
	return answer, nil
}

func TestPoisonMessageIsFoundAndItsNeighboursAreUnharmed(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(10 * time.Millisecond)
		r.spec.Destination = chokes(r, number(7), fmt.Errorf("%w: 406", broker.ErrTooLarge))
		r.spec.OnRefused = link.Recourse{Then: link.Drop}
		r.put(30)
		r.start()
		r.until(time.Minute, "one is dropped", func() bool { return r.link.Status().Counts.Dropped == 1 })
		r.after(5 * time.Second)
		want := append(numbers(7), numbers(30)[8:]...)
		r.same("what arrived", r.out(), want)
		r.empty()
		if _, sinks := r.to.Opened(); sinks > 6 {
			r.Errorf("%d sessions were needed", sinks)
		}
		if again := r.source.returned(); len(again) > 0 {
			r.Errorf("given back: %s", brief(again))
		}
	})
}

// The error of a lost session may wrap the EOF of its connection; a link that takes that for the end of a drain would
// stop with messages in hand.
func TestLostSourceThatSaysEOF(t *testing.T) {
	play(t, func(r *rig) {
		var receives atomic.Int64
		r.source.wrap = func(s broker.Source) broker.Source {
			return torn{bomb{Source: s}, func() error {
				if receives.Add(1) == 30 {
					return fmt.Errorf("%w: %w", broker.ErrLost, io.EOF)
				}
				return nil
			}}
		}
		r.put(100)
		r.start()
		r.until(10*time.Second, "the source is empty", func() bool { return r.remain() == 0 })
		r.complete(100, 64)
		r.contains("the last error", r.link.Status().LastError, "source: session lost: EOF")
	})
}

// torn is a source whose Receive fails when asked to.
type torn struct {
	bomb
	fails func() error
}

func (s torn) Receive(ctx context.Context) (*broker.Message, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.bomb.Receive(ctx)
}

// The shared connection is harmed twice; after that the link is on one of its own.
func TestPoisonMessageHarmsASharedConnectionOnlyTwice(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(10 * time.Millisecond)
		d := chokes(r, number(7), broker.ErrLost) // nobody knows why
		choke, shared, alone := d.wrap, 0, 0
		d.wrap = func(s broker.Sink, o broker.SinkOptions) broker.Sink {
			if o.Alone {
				alone++
			} else {
				shared++
			}
			return choke(s, o)
		}
		r.spec.Destination = d
		r.spec.HoldLimit = time.Hour
		r.put(30)
		r.start()
		r.after(50 * time.Minute)
		if shared > 4 || alone < 1000 {
			r.Errorf("%d sessions on shared connections, %d alone", shared, alone)
		}
		r.same("what arrived", r.out(), numbers(7))
		if n := r.unacked(); n != 23 {
			r.Errorf("%d are held, want 23", n)
		}
	})
}

func TestPanicInADriverEndsTheSessionOnly(t *testing.T) {
	for where, arm := range map[string]func(r *rig, panics func()){
		"OpenSink": func(r *rig, panics func()) {
			r.spec.Destination = destination{Destination: r.spec.Destination, open: func(context.Context, broker.SinkOptions) error { panics(); return nil }}
		},
		"Send": func(r *rig, panics func()) {
			r.spec.Destination = destination{Destination: r.spec.Destination, wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
				return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
					panics()
					return s.Send(ctx, m)
				}}
			}}
		},
		"Receive": func(r *rig, panics func()) {
			r.source.wrap = func(s broker.Source) broker.Source { return bomb{Source: s, receive: panics} }
		},
		"Ack": func(r *rig, panics func()) {
			r.source.wrap = func(s broker.Source) broker.Source { return bomb{Source: s, ack: panics} }
		},
		"Blocked": func(r *rig, panics func()) {
			r.spec.Destination = destination{Destination: r.spec.Destination, wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
				return blockBomb{s, panics}
			}}
		},
		"Gate": func(r *rig, panics func()) { r.spec.Gate = bombGate{panics} },
	} {
		t.Run(where, func(t *testing.T) {
			play(t, func(r *rig) {
				var panicked bool
				arm(r, func() {
					if !panicked {
						panicked = true
						panic("driver broke")
					}
				})
				r.put(100)
				r.start()
				r.arrived(10*time.Second, 100)
				r.after(time.Second)
				r.complete(100, 100)
				r.empty()
				if !panicked {
					r.Fatal("nothing panicked")
				}
				r.contains("the last error", r.link.Status().LastError, "panic: driver broke")
				r.contains("the log", r.log.String(), "fault_test.go") // the stack
			})
		})
	}
}

type bomb struct {
	broker.Source
	receive, ack func()
}

func (b bomb) Receive(ctx context.Context) (*broker.Message, error) {
	if b.receive != nil {
		b.receive()
	}
	return b.Source.Receive(ctx)
}

func (b bomb) Ack(last *broker.Message) error {
	if b.ack != nil {
		b.ack()
	}
	return b.Source.Ack(last)
}

// Resize implements broker.Resizer.
func (b bomb) Resize(ctx context.Context, window int) error {
	return b.Source.(broker.Resizer).Resize(ctx, window)
}

type blockBomb struct {
	broker.Sink
	panics func()
}

func (b blockBomb) Blocked() (string, <-chan struct{}) {
	b.panics()
	return b.Sink.(broker.Blocker).Blocked()
}

type bombGate struct{ panics func() }

func (g bombGate) Open(ctx context.Context) (context.Context, func(), error) {
	g.panics()
	return link.Always{}.Open(ctx)
}

func (g bombGate) Shut() (link.State, string) { return "", "" }
