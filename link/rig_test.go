package link_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
	"weir/tests/transcript"
)

// rig is a link from queue "in" of one broker in memory to queue "out" of another, on the fake clock.
type rig struct {
	*testing.T
	from, to *memory.Broker
	source   *ledger // what the link does at its source
	spec     link.Spec
	link     *link.Link
	log      *safeBuffer
	stop     func() // ends the link and waits for it
}

// play runs test in a bubble with a rig that is not started yet, and stops the link in the end.
func play(t *testing.T, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, from: memory.New("eu"), to: memory.New("us"), log: &safeBuffer{}}
		r.from.Declare("in", memory.Queue{})
		r.to.Declare("out", memory.Queue{})
		r.source = &ledger{Broker: r.from}
		r.spec = link.Spec{
			Name:        "orders",
			Kind:        link.Shovel,
			Site:        "here",
			Source:      link.Origin{Name: "eu", Broker: r.source, At: broker.Address{Queue: "in"}},
			Destination: link.To{Name: "us", Broker: r.to, At: broker.Address{Queue: "out"}},
			Reconnect:   link.Delays{Min: 100 * time.Millisecond, Max: 2 * time.Second},
		}
		defer func() {
			if t.Failed() {
				t.Logf("log:\n%s", r.log.tail(4000))
			}
		}()
		defer func() {
			if r.stop != nil {
				r.stop()
			}
		}()
		test(r)
	})
}

// start runs the link until stop, or the end of the test.
func (r *rig) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.link = link.New(r.spec, r.logger())
	var running sync.WaitGroup
	running.Go(func() { r.link.Run(ctx) })
	r.stop = func() {
		cancel()
		running.Wait()
	}
}

func (r *rig) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// put publishes n numbered messages to the source queue, after those that are there.
func (r *rig) put(n int) {
	first := r.source.put
	r.source.put += n
	for i := range n {
		r.from.Put("in", number(first+i))
	}
}

func number(i int) string { return fmt.Sprintf("%06d", i) }

// numbers are the bodies of the first n messages.
func numbers(n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = number(i)
	}
	return s
}

// until waits, at most so long on the fake clock, until something is so.
func (r *rig) until(limit time.Duration, what string, is func() bool) {
	r.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		synctest.Wait()
		if is() {
			return
		}
		if time.Since(began) > limit {
			r.Fatalf("not within %v: %s\nstatus: %+v\nout: %d", limit, what, r.link.Status(), len(r.out()))
		}
	}
}

// during checks that something stays so.
func (r *rig) during(d time.Duration, what string, is func() bool) {
	r.Helper()
	for began := time.Now(); time.Since(began) < d; time.Sleep(max(20*time.Millisecond, d/500)) {
		synctest.Wait()
		if !is() {
			r.Fatalf("after %v no longer: %s\nstatus: %+v", time.Since(began), what, r.link.Status())
		}
	}
}

// after lets time pass.
func (r *rig) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) out() []string { return r.to.Bodies("out") }

// arrived waits until n messages have come out.
func (r *rig) arrived(limit time.Duration, n int) {
	r.Helper()
	r.until(limit, fmt.Sprint(n, " messages have arrived"), func() bool { return len(r.out()) >= n })
}

func (r *rig) state() link.State { return r.link.Status().State }

// reaches waits for a state.
func (r *rig) reaches(limit time.Duration, s link.State) link.Status {
	r.Helper()
	r.until(limit, "it is "+string(s), func() bool { return r.state() == s })
	return r.link.Status()
}

// exactly demands that the messages are the first n, in order, once.
func (r *rig) exactly(n int) {
	r.Helper()
	r.same("what arrived", r.out(), numbers(n))
}

func (r *rig) same(what string, got, want []string) {
	r.Helper()
	if !slices.Equal(got, want) {
		r.Errorf("%s: %d messages %s, want %d %s", what, len(got), brief(got), len(want), brief(want))
	}
}

func brief(s []string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%v ... %v", s[:20], s[len(s)-20:])
	}
	return fmt.Sprint(s)
}

// complete demands that the first n messages have arrived, in order of their first coming, and that at most so many came
// twice.
func (r *rig) complete(n, duplicates int) {
	r.Helper()
	var first []string
	seen := map[string]bool{}
	for _, body := range r.out() {
		if !seen[body] {
			seen[body] = true
			first = append(first, body)
		}
	}
	r.same("what arrived, duplicates aside", first, numbers(n))
	if extra := len(r.out()) - len(first); extra > duplicates {
		r.Errorf("%d duplicates, want at most %d", extra, duplicates)
	}
}

// empty demands that the source holds nothing any more, ready or not.
func (r *rig) empty() {
	r.Helper()
	if n := r.remain(); n != 0 {
		r.Errorf("the source still has %d, %d of them unacked", n, r.unacked())
	}
}

// remain is what the source still has, ready or not; unacked is the part of it in the link's hands.
func (r *rig) remain() int {
	d := r.depth()
	return int(d.Ready.N + d.Unacked.N)
}

func (r *rig) unacked() int { return int(r.depth().Unacked.N) }

func (r *rig) depth() broker.Depth {
	d, err := r.from.Depth(context.Background(), broker.Address{Queue: "in"})
	if err != nil {
		r.Fatal(err)
	}
	return d
}

// contains demands that a text has a part.
func (r *rig) contains(what, text, part string) {
	r.Helper()
	if !strings.Contains(text, part) {
		r.Errorf("%s is %q, want it to contain %q", what, text, part)
	}
}

type safeBuffer struct{ transcript.Buffer }

// lines are those of the log that contain a text.
func (b *safeBuffer) lines(part string) int { return strings.Count(b.String(), part) }

// tail is the end of the log.
func (b *safeBuffer) tail(n int) string {
	s := b.String()
	return s[max(0, len(s)-n):]
}

// times notes when something happened.
type times struct {
	mu sync.Mutex
	at []time.Time
}

func (t *times) note() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = append(t.at, time.Now())
}

func (t *times) all() []time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.at)
}
