package demo

import (
	"fmt"
	"maps"
	"sync"

	"github.com/dustin/go-humanize"
)

// Report is the account of a demo. All of it comes from the ids of the orders that the producer had confirmed and the
// consumers got, and from those that eu heard were shipped, but for Overflowed, which the gateway counts.
type Report struct {
	Produced   int            `json:"produced"`
	Consumed   map[string]int `json:"consumed"` // by region
	Overflowed int64          `json:"overflowed"`
	// Federated are the orders of which eu has heard that us or ap has shipped them.
	Federated int `json:"federated"`
	// Lost orders were not consumed anywhere, or eu has not heard of it. Duplicated ones were consumed, or heard of, more
	// than once (each further time counts).
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	// Reordered ones were consumed in a region after one that was produced later, or heard of after it.
	Reordered int `json:"reordered"`
}

func (r Report) String() string {
	s := fmt.Sprintf("%s orders: eu consumed %s, us %s, ap %s. weir moved %s away, and told eu of %s shipped elsewhere.\n",
		comma(r.Produced), comma(r.Consumed["eu"]), comma(r.Consumed["us"]), comma(r.Consumed["ap"]), comma(int(r.Overflowed)),
		comma(r.Federated))
	if r.Lost == 0 && r.Duplicated == 0 && r.Reordered == 0 {
		return s + "Nothing was lost, nothing came twice, nothing out of order."
	}
	return s + fmt.Sprintf("%s were lost, %s came twice, %s out of order.", comma(r.Lost), comma(r.Duplicated), comma(r.Reordered))
}

func comma(n int) string { return humanize.Comma(int64(n)) }

// ledger notes who has consumed which order, and of which one eu has heard that it was shipped.
type ledger struct {
	mu   sync.Mutex
	sent int // confirmed orders; their ids are 0 to sent-1
	done tally
	told tally // by the region that has shipped them
}

// tally counts ids that have come from or to regions.
type tally struct {
	times     map[int]int
	regions   map[string]int
	newest    map[string]int // the highest id of a region, plus 1
	reordered int
}

func (t *tally) count(region string, id int) {
	if t.times == nil {
		t.times, t.regions, t.newest = map[int]int{}, map[string]int{}, map[string]int{}
	}
	t.times[id]++
	t.regions[region]++
	if t.times[id] == 1 && id < t.newest[region] {
		t.reordered++
	}
	t.newest[region] = max(t.newest[region], id+1)
}

// repeated is how often an id has come again.
func (t *tally) repeated() (n int) {
	for _, times := range t.times {
		n += times - 1
	}
	return n
}

func (l *ledger) produced() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
}

func (l *ledger) consumed(region string, id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done.count(region, id)
}

func (l *ledger) heard(region string, id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told.count(region, id)
}

// counts are how many orders were produced, how many of them nobody has consumed yet or eu has not heard of, what each
// region has consumed, and of how many of them eu has heard.
func (l *ledger) counts() (produced, missing int, consumed, told map[string]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	missing = max(0, l.sent-min(len(l.done.times), len(l.told.times)))
	return l.sent, missing, maps.Clone(l.done.regions), maps.Clone(l.told.regions)
}

func (l *ledger) report(overflowed int64) Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := Report{
		Produced:   l.sent,
		Consumed:   map[string]int{"eu": 0, "us": 0, "ap": 0},
		Overflowed: overflowed,
		Federated:  federated(l.told.regions),
		Duplicated: l.done.repeated() + l.told.repeated(),
		Reordered:  l.done.reordered + l.told.reordered,
	}
	maps.Copy(r.Consumed, l.done.regions)
	for id := range l.sent {
		if l.done.times[id] == 0 || l.told.times[id] == 0 {
			r.Lost++
		}
	}
	return r
}

// federated is how much of what eu has heard came from elsewhere.
func federated(told map[string]int) int { return told["us"] + told["ap"] }
