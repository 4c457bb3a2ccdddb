package e2e

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// orders is the ledger of a test: who consumed which order, in which order. Orders are numbered from 0.
type orders struct {
	mu   sync.Mutex
	home []int // as consumed where they were published
	away []int // as consumed in the other region
}

func (o *orders) atHome(id int) { o.note(&o.home, id) }
func (o *orders) atAway(id int) { o.note(&o.away, id) }

func (o *orders) note(side *[]int, id int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*side = append(*side, id)
}

func (o *orders) counts() (home, away, distinct int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := map[int]bool{}
	for _, id := range slices.Concat(o.home, o.away) {
		seen[id] = true
	}
	return len(o.home), len(o.away), len(seen)
}

// wantAll fails unless each of n orders was consumed at least once, and no more often if exactlyOnce.
func (o *orders) wantAll(t *testing.T, n int, exactlyOnce bool) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	times := make([]int, n)
	for _, id := range slices.Concat(o.home, o.away) {
		times[id]++
	}
	var lost, twice []int
	for id, k := range times {
		switch {
		case k == 0:
			lost = append(lost, id)
		case k > 1:
			twice = append(twice, id)
		}
	}
	if len(lost) > 0 {
		t.Errorf("%d orders lost, among them %v", len(lost), lost[:min(10, len(lost))])
	}
	if exactlyOnce && len(twice) > 0 {
		t.Errorf("%d orders consumed twice, among them %v", len(twice), twice[:min(10, len(twice))])
	}
	t.Logf("%d consumed at home, %d away, %d of them twice", len(o.home), len(o.away), len(twice))
}

// wantOrder fails unless each side consumed in the order of publishing.
func (o *orders) wantOrder(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for side, ids := range map[string][]int{"home": o.home, "away": o.away} {
		for i := 1; i < len(ids); i++ {
			if ids[i] < ids[i-1] {
				t.Errorf("%s: order %d consumed after %d", side, ids[i], ids[i-1])
				break
			}
		}
	}
}

// region is a broker's cluster, as the applications of a shop use it.
type region interface {
	// publish sends orders from..to-1 to the queue orders, each confirmed.
	publish(ctx context.Context, from, to int) error
	// consume takes orders, at most so many a second (0: as fast as they come), until ctx ends.
	consume(ctx context.Context, queue string, perSecond int, note func(id int)) error
}

// pacer bounds a consumer to so many messages a second.
func pacer(perSecond int) (wait func(context.Context), stop func()) {
	if perSecond == 0 {
		return func(context.Context) {}, func() {}
	}
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	return func(ctx context.Context) {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}, tick.Stop
}
