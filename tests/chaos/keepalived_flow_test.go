package chaos

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"weir/tests/await"
	"weir/tests/shop"
)

// flow is orders that are published all the time, to one region, and consumed in others that links bring them to.
type flow struct {
	t       *testing.T
	stop    context.CancelFunc
	running sync.WaitGroup // publishing
	stages  []*stage

	mu        sync.Mutex
	published int
}

// stage is a region where orders arrive.
type stage struct {
	name string
	shop.Orders

	mu      sync.Mutex
	newest  int
	since   time.Time     // it came
	longest time.Duration // that none newer came
}

func newFlow(t *testing.T, from shop.Rabbit, to ...shop.Rabbit) *flow {
	publishing, stop := context.WithCancel(context.Background())
	consuming, end := context.WithCancel(context.Background())
	f := &flow{t: t, stop: stop}
	f.running.Go(func() { f.publish(publishing, from) })
	var consumers sync.WaitGroup
	for i, region := range to {
		s := &stage{name: fmt.Sprintf("stage %d", i+1), newest: -1, since: time.Now()}
		f.stages = append(f.stages, s)
		consumers.Go(func() { _ = region.Consume(consuming, "orders", 0, s.note) })
	}
	t.Cleanup(func() {
		stop()
		f.running.Wait()
		end()
		consumers.Wait()
	})
	return f
}

// publish sends 250 orders a second.
func (f *flow) publish(ctx context.Context, to shop.Rabbit) {
	const batch = 50
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n += batch {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := to.Publish(context.WithoutCancel(ctx), n, n+batch); err != nil {
			f.t.Errorf("publish: %v", err)
			return
		}
		f.mu.Lock()
		f.published = n + batch
		f.mu.Unlock()
	}
}

func (f *flow) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.published
}

func (s *stage) note(id int) {
	s.AtAway(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if id > s.newest {
		now := time.Now()
		s.longest = max(s.longest, now.Sub(s.since))
		s.newest, s.since = id, now
	}
}

// goesOn waits until so many orders that are published from now on have arrived everywhere, and logs for how long none had come.
func (f *flow) goesOn(when string, orders int) {
	f.t.Helper()
	last := f.count() + orders - 1
	for _, s := range f.stages {
		await.That(f.t, 2*time.Minute, s.name+" reached "+when, func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.newest >= last
		})
		s.mu.Lock()
		f.t.Logf("%s: %s: nothing came for %v", when, s.name, tenths(s.longest))
		s.longest = 0
		s.mu.Unlock()
	}
}

// end stops publishing and waits until every order has arrived everywhere. At most so many came twice at the first stage, and as many
// again at each further one.
func (f *flow) end(twice int) {
	f.t.Helper()
	f.stop()
	f.running.Wait()
	n := f.count()
	for i, s := range f.stages {
		await.That(f.t, 2*time.Minute, s.name+" complete", func() bool {
			_, _, distinct := s.Counts()
			return distinct == n
		})
		s.WantAll(f.t, n, false)
		if _, again := s.LateAndTwice(); again > (i+1)*twice {
			f.t.Errorf("%s: %d came twice, want %d at most", s.name, again, (i+1)*twice)
		}
	}
}
