package shop

import (
	"slices"
	"sync"
	"testing"
)

// Orders is the ledger of a test: who consumed which order, in which order. Orders are numbered from 0.
type Orders struct {
	mu   sync.Mutex
	home []int // as consumed where they were published
	away []int // as consumed in the other region
}

// AtHome notes an order as consumed in the region where it was published.
func (o *Orders) AtHome(id int) { o.note(&o.home, id) }

// AtAway notes an order as consumed in the other region.
func (o *Orders) AtAway(id int) { o.note(&o.away, id) }

func (o *Orders) note(side *[]int, id int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*side = append(*side, id)
}

// Counts are how many were consumed on each side, and how many different ones in all.
func (o *Orders) Counts() (home, away, distinct int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := map[int]bool{}
	for _, id := range slices.Concat(o.home, o.away) {
		seen[id] = true
	}
	return len(o.home), len(o.away), len(seen)
}

// WantAll fails unless each of n orders was consumed at least once, and no more often if exactlyOnce.
func (o *Orders) WantAll(t *testing.T, n int, exactlyOnce bool) {
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

// WantOrder fails unless each side consumed in the order of publishing.
func (o *Orders) WantOrder(t *testing.T) {
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

// LateAndTwice are how many orders were first consumed away after a later one, and how often one was consumed again.
func (o *Orders) LateAndTwice() (late, twice int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen, newest := map[int]bool{}, -1
	for _, id := range o.away {
		switch {
		case seen[id]:
			twice++
		case id < newest:
			late++
		}
		seen[id] = true
		newest = max(newest, id)
	}
	return late, twice
}
