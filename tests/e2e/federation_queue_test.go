package e2e

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"weir/link"
	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
)

// worker is an application that consumes from a queue of a site, until it is stopped.
type worker struct {
	mu   sync.Mutex
	got  []string
	stop func()
}

// run takes messages until next fails, which it does after end.
func (w *worker) run(t *testing.T, end func(), next func() (body string, err error)) *worker {
	var running sync.WaitGroup
	w.stop = sync.OnceFunc(func() {
		end()
		running.Wait()
	})
	t.Cleanup(w.stop)
	running.Go(func() {
		for {
			body, err := next()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.got = append(w.got, body)
			w.mu.Unlock()
		}
	})
	return w
}

// work begins to consume. Messages are acked one by one.
func (s site) work(queue string) *worker {
	s.t.Helper()
	conn := s.VHost.Dial()
	ch, err := conn.Channel()
	s.must(err)
	s.must(ch.Qos(10, 0, false))
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	s.must(err)
	w := new(worker)
	end := func() { _ = conn.Close() } // what is unacked goes back
	return w.run(s.t, end, func() (string, error) {
		m, open := <-deliveries
		if !open {
			return "", io.EOF
		}
		return string(m.Body), m.Ack(false)
	})
}

func (s site) workQueue(name string) { s.queue(name, "") }

func (s site) put(queue string, bodies ...string) { s.send("", queue, bodies...) }

func (w *worker) consumed() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got)
}

// wantAll waits until workers have consumed n messages, and fails unless those are exactly want.
func wantAll(t *testing.T, want []string, workers ...*worker) {
	t.Helper()
	got := func() (all []string) {
		for _, w := range workers {
			all = append(all, w.consumed()...)
		}
		return all
	}
	await.That(t, federationLimit, fmt.Sprintf("consumed: %d messages", len(want)), func() bool { return len(got()) >= len(want) })
	all := got()
	slices.Sort(all)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(all, want) {
		t.Errorf("consumed were %v, want %v", all, want)
	}
}

const bothWays = `
upstreams:
  eu: {broker: eu}
  us: {broker: us}
policies:
  at-eu: {pattern: "^work$", apply-to: queues, definition: {federation-upstream: us}}
  at-us: {downstream: us, pattern: "^work$", apply-to: queues, definition: {federation-upstream: eu}}
`

// Ensure messages go where the consumers are, whichever side that is, until all are consumed and nothing is left.
func TestFederatedQueueBothWays(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "eu", "us")
		eu, us := at[0], at[1]
		for _, s := range at {
			s.workQueue("work")
		}
		eu.put("work", prefixed("eu", 30)...)
		us.put("work", prefixed("us", 30)...)
		g := built.Start(t, config+bothWays)
		await.That(t, federationLimit, "shut, as nobody consumes", func() bool {
			return g.Has("us/queues/work", link.Shut) && g.Has("eu/us/queues/work", link.Shut)
		})
		eu.holds(30, "work")
		us.holds(30, "work")

		one := eu.work("work")
		wantAll(t, append(prefixed("eu", 30), prefixed("us", 30)...), one)
		one.stop()
		two := us.work("work")
		eu.put("work", prefixed("more", 30)...)
		wantAll(t, prefixed("more", 30), two)
		eu.holds(0, "work")
		us.holds(0, "work")
	})
}

// Ensure that queues of a blue vhost move to a green one while late messages still come to blue: consumers go first, then
// publishers, and every message is consumed once.
func TestFederatedQueueBlueGreen(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "green", "blue")
		green, blue := at[0], at[1]
		for _, s := range at {
			s.exchange("events", "topic")
			for _, queue := range []string{"work", "audit"} {
				s.queue(queue, "events", queue)
			}
		}
		blue.send("events", "work", prefixed("backlog", 50)...)
		blue.send("events", "audit", prefixed("audit", 20)...)
		old := blue.work("work")
		built.Start(t, config+`
upstreams:
  blue: {broker: blue}
policies:
  migrate: {pattern: ".*", apply-to: queues, definition: {federation-upstream: blue}}
`)
		work, audit := green.work("work"), green.work("audit")
		old.stop()
		blue.send("events", "work", prefixed("late", 20)...)
		green.send("events", "work", prefixed("new", 20)...)
		wantAll(t, slices.Concat(prefixed("backlog", 50), prefixed("late", 20), prefixed("new", 20)), old, work)
		wantAll(t, prefixed("audit", 20), audit)
		for _, s := range at {
			s.holds(0, "work", "audit")
		}
	})
}
