package federation_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// workFromUS federates the queue work of eu with that of us; work both ways takes a second gateway, workFromEU.
const (
	workFromUS = `
upstreams:
	us: {broker: us}
policies:
	work: {pattern: "^work$", apply-to: queues, definition: {federation-upstream: us}}
`
	workFromEU = `
upstreams:
	eu: {broker: eu}
policies:
	work: {pattern: "^work$", apply-to: queues, definition: {federation-upstream: eu}}
`
	fromUSLink, fromEULink = "us/queues/work", "eu/queues/work"
)

// inQueues is inWorld with a queue work in eu and us.
func inQueues(t *testing.T, test func(w *world)) {
	t.Helper()
	inWorld(t, func(w *world) {
		w.eu.Declare("work", memory.Queue{})
		w.us.Declare("work", memory.Queue{})
		test(w)
	})
}

// put publishes n messages to the queue work, numbered from first.
func put(b *memory.Broker, first, n int) {
	for i := range n {
		b.Put("work", fmt.Sprintf("%06d", first+i))
	}
}

// worker consumes with a prefetch and acks each message after so long.
type worker struct {
	*memory.Consumer
	mu   sync.Mutex
	did  []*broker.Message
	stop func()
}

func (w *world) worker(b *memory.Broker, prefetch int, takes time.Duration) *worker {
	k := &worker{Consumer: b.Consume("work", prefetch, nil)}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(takes)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				k.mu.Lock()
				k.did = append(k.did, k.Ack(1)...)
				k.mu.Unlock()
			case <-stop:
				return
			}
		}
	}()
	k.stop = func() {
		if stop != nil {
			close(stop)
			<-stopped
			stop = nil
			k.Cancel()
		}
	}
	w.Cleanup(func() { k.stop() })
	return k
}

// allOnce stops workers and checks that they have done the messages 0 to n-1, each once.
func (w *world) allOnce(n int, workers ...*worker) {
	w.Helper()
	var got []string
	for _, k := range workers {
		k.stop()
		for _, m := range k.did {
			got = append(got, string(m.Body))
		}
	}
	slices.Sort(got)
	want := make([]string, n)
	for i := range want {
		want[i] = fmt.Sprintf("%06d", i)
	}
	if !slices.Equal(got, want) {
		w.Errorf("%d messages were done, want %d, each once", len(got), n)
	}
}

func done(workers ...*worker) (n int) {
	for _, k := range workers {
		k.mu.Lock()
		n += len(k.did)
		k.mu.Unlock()
	}
	return n
}

// is tells whether a link is there, and in a state.
func (g *gateway) is(name string, state link.State) bool {
	l, ok := g.Link(name)
	return ok && l.Status().State == state
}

func TestNothingComesWithoutConsumers(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 100)
		g := w.gateway("eu", workFromUS)
		w.after(30 * time.Second)
		if n := len(w.us.Bodies("work")); n != 100 {
			w.Errorf("%d of 100 messages are left upstream", n)
		}
		s := g.status(fromUSLink)
		if s.State != link.Shut || s.Reason != "no consumers downstream" || s.Federation.Policy != "work" || s.Federation.Upstream != "us" {
			w.Errorf("status %+v, federation %+v", s, s.Federation)
		}
		if sources, _ := w.us.Opened(); sources != 0 {
			w.Errorf("%d sources were opened", sources)
		}
	})
}

func TestAllComesWhileConsumersAreFast(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 4000)
		g := w.gateway("eu", workFromUS)
		worker := w.worker(w.eu, 20, 500*time.Microsecond)
		w.within(2500*time.Millisecond, "all is done at 2,000 a second", func() bool { return done(worker) == 4000 })
		w.allOnce(4000, worker)
		if sources, _ := w.us.Opened(); sources != 1 {
			w.Errorf("%d sources were opened for one flow", sources)
		}
		w.within(10*time.Second, "open, and nothing stranded", func() bool {
			s := g.status(fromUSLink)
			return s.State == link.Idle && *s.Federation.Stranded == 0 && *s.Federation.Batch >= 100
		})
	})
}

func TestOneSlowConsumerStrandsABatchAndNoMore(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 2000)
		g := w.gateway("eu", workFromUS)
		worker := w.worker(w.eu, 1, 200*time.Millisecond)
		most := 0
		for range 600 {
			w.after(100 * time.Millisecond)
			most = max(most, len(w.eu.Bodies("work")))
		}
		if most > 4 {
			w.Errorf("%d messages lay downstream before a consumer of 5 a second", most)
		}
		if n := done(worker); n < 290 {
			w.Errorf("%d messages were done in a minute, want nearly 300: it had to wait for work", n)
		}
		// It goes away: what is there stays there, shown.
		worker.stop()
		w.within(5*time.Second, "shut", func() bool { return g.is(fromUSLink, link.Shut) })
		before := len(w.us.Bodies("work"))
		w.after(10 * time.Second)
		s, left := g.status(fromUSLink), len(w.eu.Bodies("work"))
		if n := len(w.us.Bodies("work")); n != before || left > 4+1 {
			w.Errorf("%d upstream, then %d; %d stranded", before, n, left)
		}
		if want := fmt.Sprintf("%d ready downstream, no consumers", left); s.Reason != want || int(*s.Federation.Stranded) > left {
			w.Errorf("reason %q, want %q; stranded %d", s.Reason, want, *s.Federation.Stranded)
		}
	})
}

// A batch that was right for a fast consumer is all that is stranded when it stops working.
func TestAConsumerThatStopsWorkingStrandsABatchAndNoMore(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 10_000)
		g := w.gateway("eu", workFromUS)
		worker := w.worker(w.eu, 20, 500*time.Microsecond)
		w.within(time.Minute, "a part is done", func() bool { return done(worker) > 3000 })
		batch := 0
		w.within(time.Second, "a batch", func() bool { batch = *g.status(fromUSLink).Federation.Batch; return batch > 0 })
		worker.stop()
		w.eu.Consumers("work", 1) // one that takes nothing
		w.after(5 * time.Second)
		left := len(w.eu.Bodies("work"))
		if s := g.status(fromUSLink); left == 0 || left > batch+20 || s.State != link.Shut || int(*s.Federation.Stranded) > left {
			w.Errorf("%d lie downstream after a batch of %d and a prefetch of 20; status %+v, stranded %d", left, batch, s, *s.Federation.Stranded)
		}
	})
}

func TestAGateDoesNotFlapWithSlowConsumers(t *testing.T) {
	for _, takes := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 700 * time.Millisecond, 3 * time.Second} {
		t.Run(takes.String(), func(t *testing.T) {
			inQueues(t, func(w *world) {
				put(w.us, 0, 10_000)
				w.gateway("eu", workFromUS)
				a, b := w.worker(w.eu, 1, takes), w.worker(w.eu, 1, takes)
				const seconds = 60
				w.after(seconds * time.Second)
				opened, _ := w.us.Opened()
				if opened > seconds {
					w.Errorf("the gate opened %d times in %d seconds", opened, seconds)
				}
				if n, want := done(a, b), int(2*seconds*time.Second/takes); n < want*9/10 {
					w.Errorf("%d messages done, want nearly %d", n, want)
				}
			})
		})
	}
}

func TestUpstreamConsumersWin(t *testing.T) {
	inQueues(t, func(w *world) {
		g := w.gateway("eu", workFromUS)
		down := w.worker(w.eu, 10, time.Millisecond)
		up := w.worker(w.us, 10, time.Millisecond)
		w.within(10*time.Second, "open", func() bool { return g.is(fromUSLink, link.Idle) })
		for i := range 500 {
			put(w.us, i, 1)
			w.after(2 * time.Millisecond)
		}
		w.after(time.Second)
		if done(up) != 500 || done(down) != 0 {
			w.Errorf("%d done upstream, %d downstream", done(up), done(down))
		}
	})
}

// Two queues that are each other's upstream, and consumers only on one side, then only on the other.
func TestBothDirectionsUntilNothingIsLeft(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.eu, 0, 3000)
		w.gateway("eu", workFromUS)
		w.gateway("us", workFromEU)
		there := w.worker(w.us, 50, time.Millisecond)
		w.within(time.Minute, "a third is done in us", func() bool { return done(there) > 1000 })
		there.stop()
		here := w.worker(w.eu, 50, time.Millisecond)
		w.within(time.Minute, "all is done", func() bool { return done(there, here) == 3000 })
		w.allOnce(3000, there, here)
		for _, b := range []*memory.Broker{w.eu, w.us} {
			if n := len(b.Bodies("work")); n != 0 {
				w.Errorf("%d messages are left", n)
			}
		}
	})
}

// Two gateways of one site compete, and each message comes once.
func TestTwoGatewaysShareAFederatedQueue(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 2000)
		worker := w.worker(w.eu, 20, time.Millisecond)
		one, two := w.gateway("eu", workFromUS), w.gateway("eu", workFromUS)
		w.within(time.Minute, "a part is done", func() bool { return done(worker) > 700 })
		first, second := moves(one), moves(two)
		one.stop()
		w.within(time.Minute, "all is done", func() bool { return done(worker) == 2000 })
		w.allOnce(2000, worker)
		if first == 0 || second == 0 {
			w.Errorf("one gateway brought %d messages, the other %d", first, second)
		}
	})
}

// moves counts how often messages have crossed links so far.
func moves(gateways ...*gateway) (n int64) {
	for _, g := range gateways {
		for _, s := range g.Statuses() {
			n += s.Counts.Confirmed
		}
	}
	return n
}

// Both sides have consumers, all of them busy for long, and a few messages wait on one side. Nobody can tell from outside
// that they are busy.
func TestTwoBusySidesDoNotPlayPingPong(t *testing.T) {
	for name, apart := range map[string]bool{"one process": false, "two processes": true} {
		t.Run(name, func(t *testing.T) {
			inQueues(t, func(w *world) {
				for _, b := range []*memory.Broker{w.eu, w.us} {
					b.Consume("work", 1, nil)
					put(b, 0, 1)
				}
				put(w.eu, 1, 3)
				var all []*gateway
				if apart {
					all = append(all, w.gateway("eu", workFromUS), w.gateway("us", workFromEU))
				} else {
					all = append(all, w.gateway("eu", bothWays))
				}
				w.after(time.Second)
				first := moves(all...)
				w.after(time.Minute)
				then := moves(all...)
				w.after(10 * time.Minute)
				last := moves(all...)
				if first > 9 || then > 50 || last-then > 3*10*2*2 {
					w.Errorf("messages moved %d times in the first second, %d in a minute, %d in the ten minutes after", first, then, last-then)
				}
				total := 0
				for _, b := range []*memory.Broker{w.eu, w.us} {
					for _, m := range b.Messages("work") {
						total++
						if hops, _ := m.Headers["x-received-from"].(broker.Array); len(hops) > 2 {
							w.Errorf("the list of hops grows: %v", hops)
						}
					}
				}
				if total != 3 {
					w.Errorf("%d messages wait, want 3", total)
				}
			})
		})
	}
}

const bothWays = `
upstreams:
	us: {broker: us}
	eu: {broker: eu}
policies:
	here: {pattern: "^work$", apply-to: queues, definition: {federation-upstream: us}}
	there: {downstream: us, pattern: "^work$", apply-to: queues, definition: {federation-upstream: eu}}
`

func TestIdleSidesMoveNothing(t *testing.T) {
	inQueues(t, func(w *world) {
		a, b := w.gateway("eu", workFromUS), w.gateway("us", workFromEU)
		w.eu.Consumers("work", 1) // they take nothing
		w.us.Consumers("work", 1)
		w.after(time.Minute)
		if n := moves(a, b); n != 0 {
			w.Errorf("%d messages moved", n)
		}
		if s := a.status(fromUSLink); s.State != link.Idle {
			w.Errorf("status %+v", s)
		}
	})
}

func TestADepthThatIsNotKnownOpensNothing(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 100)
		w.eu.HideDepth(true)
		worker := w.worker(w.eu, 10, time.Millisecond)
		g := w.gateway("eu", workFromUS)
		w.after(20 * time.Second)
		if s := g.status(fromUSLink); done(worker) != 0 || s.Reason != "depth downstream is not known" {
			w.Errorf("%d done; status %+v", done(worker), s)
		}
		w.eu.HideDepth(false)
		w.within(5*time.Second, "all is done", func() bool { return done(worker) == 100 })
		w.eu.HideDepth(true)
		put(w.us, 100, 100)
		w.after(5 * time.Second)
		if n := done(worker); n == 100 || n == 200 {
			w.Errorf("%d done while the depth was not known, want one batch more than 100", n)
		}
		w.eu.HideDepth(false)
		w.within(5*time.Second, "all is done", func() bool { return done(worker) == 200 })
		w.allOnce(200, worker)
	})
}

// What was forwarded and confirmed is acked at the upstream late. A stop must not bring it again.
func TestAStopBringsNothingTwice(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 1000)
		worker := w.worker(w.eu, 10, 500*time.Microsecond)
		for range 20 {
			g := w.gateway("eu", workFromUS)
			w.after(50 * time.Millisecond)
			g.stop()
		}
		w.gateway("eu", workFromUS)
		w.within(time.Minute, "all is done", func() bool { return done(worker) >= 1000 })
		w.after(time.Second)
		w.allOnce(1000, worker)
	})
}

func TestLostSessionsLoseNothing(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 2000)
		worker := w.worker(w.eu, 10, time.Millisecond)
		g := w.gateway("eu", workFromUS)
		for i := range 20 {
			w.after(170 * time.Millisecond)
			if i%2 == 0 {
				w.us.Cut()
			} else {
				w.eu.Cut()
			}
		}
		w.within(time.Minute, "all is done", func() bool { return done(worker) >= 2000 && len(w.us.Bodies("work")) == 0 })
		w.after(time.Second)
		worker.stop()
		seen := map[string]bool{}
		for _, m := range worker.did {
			seen[string(m.Body)] = true
		}
		if twice := len(worker.did) - len(seen); len(seen) != 2000 || twice > 20*200 {
			w.Errorf("%d of 2000 done, %d of them twice", len(seen), twice)
		}
		if s := g.status(fromUSLink); s.Counts.Reconnects == 0 {
			w.Errorf("no session was lost: %+v", s)
		}
	})
}

func TestAnUnreachableDownstreamIsRetriedAndNotCalledShut(t *testing.T) {
	inQueues(t, func(w *world) {
		g := w.gateway("eu", workFromUS)
		w.within(5*time.Second, "shut", func() bool { return g.is(fromUSLink, link.Shut) })
		w.eu.Down(fmt.Errorf("no route to host"))
		w.within(10*time.Second, "retrying", func() bool {
			return g.is(fromUSLink, link.Retrying) && strings.Contains(g.status(fromUSLink).LastError, "no route to host")
		})
		w.eu.Up()
		worker := w.worker(w.eu, 10, time.Millisecond)
		put(w.us, 0, 100)
		w.within(time.Minute, "all is done", func() bool { return done(worker) == 100 })
	})
}

func TestAMissingUpstreamQueueIsDeclaredBeforeAnybodyConsumes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.Declare("work", memory.Queue{})
		w.gateway("eu", strings.ReplaceAll(workFromUS, "{broker: us}", "{broker: us, queue: there}"))
		w.within(10*time.Second, "declared", func() bool { return slices.Contains(w.us.QueueNames(), "there") })
	})
}

func TestAnUpstreamThatDeniesIsToldBeforeAnybodyConsumes(t *testing.T) {
	inQueues(t, func(w *world) {
		w.us.Deny("work")
		g := w.gateway("eu", workFromUS)
		w.within(10*time.Second, "denied", func() bool { return g.is(fromUSLink, link.Denied) })
	})
}

// A message that its downstream refuses holds back newer ones, and pauses the link in the end.
func TestARefusedMessagePausesTheLink(t *testing.T) {
	inQueues(t, func(w *world) {
		w.eu.Refuse(func(m *broker.Message) error {
			if string(m.Body) == "000003" {
				return broker.ErrRefused
			}
			return nil
		})
		put(w.us, 0, 10)
		worker := w.worker(w.eu, 10, time.Millisecond)
		g := w.gateway("eu", workFromUS)
		w.within(10*time.Minute, "paused", func() bool { return g.is(fromUSLink, link.Paused) })
		w.eu.Refuse(nil)
		l, _ := g.Link(fromUSLink)
		l.Resume()
		w.within(time.Minute, "all is done", func() bool { return done(worker) == 10 })
		w.allOnce(10, worker)
	})
}

func TestHeadersOfAFederatedQueue(t *testing.T) {
	inQueues(t, func(w *world) {
		w.us.Bind("work", "catalog", "#")
		w.publish(w.us, "book.new", "b")
		c := w.eu.Consume("work", 1, nil)
		w.gateway("eu", workFromUS)
		w.within(10*time.Second, "it has come", func() bool { return len(c.Unacked()) == 1 })
		m := c.Unacked()[0]
		if m.Exchange != "" || m.RoutingKey != "work" || m.Properties.UserID != "" {
			w.Errorf("published to %q, %q by %q", m.Exchange, m.RoutingKey, m.Properties.UserID)
		}
		if h := m.Headers; h["x-original-exchange"] != "catalog" || h["x-original-routing-key"] != "book.new" {
			w.Errorf("headers %v", h)
		}
	})
}
