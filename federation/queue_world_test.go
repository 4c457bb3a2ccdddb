package federation_test

import (
	"fmt"
	"slices"
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

// moves counts how often messages have crossed links so far.
func moves(gateways ...*gateway) (n int64) {
	for _, g := range gateways {
		for _, s := range g.Statuses() {
			n += s.Counts.Confirmed
		}
	}
	return n
}

const bothWays = `
upstreams:
	us: {broker: us}
	eu: {broker: eu}
policies:
	here: {pattern: "^work$", apply-to: queues, definition: {federation-upstream: us}}
	there: {downstream: us, pattern: "^work$", apply-to: queues, definition: {federation-upstream: eu}}
`
