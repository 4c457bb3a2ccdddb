package federation

import (
	"maps"
	"slices"
	"time"
)

// Problem is what keeps a policy, a downstream or all links of an upstream from working until somebody mends it. What
// concerns one link alone is in its Status.
type Problem struct {
	// Policy and Broker are what it concerns, by their names; one may be empty.
	Policy string `json:"policy,omitempty"`
	Broker string `json:"broker,omitempty"`
	// Text is what is wrong.
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
	// NextTry is zero where nothing is tried again by itself.
	NextTry time.Time `json:"next-try,omitzero"`
}

// Problems are those there are now: of downstreams, of policies, of upstreams.
func (f *Federation) Problems() []Problem {
	var all []Problem
	for _, d := range f.all() {
		all = append(all, d.problems()...)
	}
	return all
}

func (d *downstream) problems() []Problem {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []Problem
	if d.problem != nil {
		all = append(all, *d.problem)
	}
	for _, policy := range slices.Sorted(maps.Keys(d.policies)) {
		all = append(all, *d.policies[policy])
	}
	// Many links may have one cause: it is told once.
	type cause struct{ policy, broker, text string }
	told := map[cause]bool{}
	for _, name := range slices.Sorted(maps.Keys(d.mirrors)) {
		p := d.mirrors[name].trouble()
		if p == nil || told[cause{p.Policy, p.Broker, p.Text}] {
			continue
		}
		told[cause{p.Policy, p.Broker, p.Text}] = true
		all = append(all, *p)
	}
	return all
}
