package demo

import (
	"fmt"
	"maps"
	"sync"

	"github.com/dustin/go-humanize"
)

// Report is the account of a demo. All of it comes from the ids of the orders that the producer had confirmed and the
// consumers got, but for Overflowed, which the gateway counts.
type Report struct {
	Produced   int            `json:"produced"`
	Consumed   map[string]int `json:"consumed"` // by region
	Overflowed int64          `json:"overflowed"`
	Federated  int64          `json:"federated"`
	// Lost orders were not consumed anywhere, Duplicated ones more than once (each further time counts).
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	// Reordered ones were consumed in a region after one that was produced later.
	Reordered int `json:"reordered"`
}

func (r Report) String() string {
	s := fmt.Sprintf("%s orders: eu consumed %s, us %s, ap %s. weir moved %s.\n", comma(r.Produced),
		comma(r.Consumed["eu"]), comma(r.Consumed["us"]), comma(r.Consumed["ap"]), comma(int(r.Overflowed)))
	if r.Lost == 0 && r.Duplicated == 0 && r.Reordered == 0 {
		return s + "Nothing was lost, nothing came twice, nothing out of order."
	}
	return s + fmt.Sprintf("%s were lost, %s came twice, %s out of order.", comma(r.Lost), comma(r.Duplicated), comma(r.Reordered))
}

func comma(n int) string { return humanize.Comma(int64(n)) }

// ledger notes who has consumed which order.
type ledger struct {
	mu        sync.Mutex
	sent      int // confirmed orders; their ids are 0 to sent-1
	times     map[int]int
	regions   map[string]int
	newest    map[string]int // the highest id of a region, plus 1
	reordered int
}

func (l *ledger) produced() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
}

func (l *ledger) consumed(region string, id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times == nil {
		l.times, l.regions, l.newest = map[int]int{}, map[string]int{}, map[string]int{}
	}
	l.times[id]++
	l.regions[region]++
	if l.times[id] == 1 && id < l.newest[region] {
		l.reordered++
	}
	l.newest[region] = max(l.newest[region], id+1)
}

// counts are how many orders were produced, how many of them nobody has consumed yet, and what each region has consumed.
func (l *ledger) counts() (produced, missing int, consumed map[string]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent, max(0, l.sent-len(l.times)), maps.Clone(l.regions)
}

func (l *ledger) report(overflowed int64) Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := Report{
		Produced:   l.sent,
		Consumed:   map[string]int{"eu": 0, "us": 0, "ap": 0},
		Overflowed: overflowed,
		Reordered:  l.reordered,
	}
	maps.Copy(r.Consumed, l.regions)
	for id := range l.sent {
		if l.times[id] == 0 {
			r.Lost++
		}
	}
	for _, n := range l.times {
		r.Duplicated += n - 1
	}
	return r
}
