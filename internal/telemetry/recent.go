package telemetry

import (
	"slices"
	"strings"
	"sync"
	"time"

	"weir/link"
)

const (
	recentKept = 4096
	textLimit  = 256 // bytes of what a producer or a broker wrote
)

// Hop is one crossing of a link by one message, as this gateway saw it.
type Hop struct {
	At          time.Time `json:"at"` // when the link got it
	Link        string    `json:"link"`
	Kind        link.Kind `json:"kind"`
	Source      string    `json:"source"`
	Destination string    `json:"destination"`
	MessageID   string    `json:"message-id,omitempty"`
	TraceID     string    `json:"trace-id,omitempty"`
	// WaitSeconds is how long it had lain at the source. nil: not known.
	WaitSeconds *float64 `json:"wait-seconds,omitempty"`
	WaitFrom    string   `json:"wait-from,omitempty"` // see link.StoredAt
	// ConfirmSeconds is how long the destination took to confirm it, from the last try.
	ConfirmSeconds float64 `json:"confirm-seconds,omitempty"`
	Attempts       int     `json:"attempts"`
	// Outcome is a link.Outcome.
	Outcome string `json:"outcome"`
	// Why is why overflow was open, or what the last try met that failed.
	Why string `json:"why,omitempty"`
}

// Recent returns the last hops of followed messages, at most n, newest first.
func (t *Telemetry) Recent(n int) []Hop {
	all := t.recent.find(func(*Hop) bool { return true })
	slices.Reverse(all)
	return all[:min(max(0, n), len(all))]
}

// Find returns what is left of the hops of one message, by message-id or trace id, oldest first.
func (t *Telemetry) Find(id string) []Hop {
	if id == "" {
		return nil
	}
	id = cut(id)
	return t.recent.find(func(h *Hop) bool { return h.MessageID == id || strings.EqualFold(h.TraceID, id) })
}

// ring holds the last recentKept hops.
type ring struct {
	mu   sync.Mutex
	hops []Hop // full: the oldest is at next
	next int
}

func (r *ring) add(h Hop) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.hops) < recentKept {
		r.hops = append(r.hops, h)
		return
	}
	r.hops[r.next] = h
	r.next = (r.next + 1) % recentKept
}

// find returns those that match, oldest first. They were added as they ended, which for the hops of one message need not
// be in the order of its way: an ack may come late.
func (r *ring) find(match func(*Hop) bool) []Hop {
	r.mu.Lock()
	var found []Hop
	for i := range r.hops {
		if h := &r.hops[(r.next+i)%len(r.hops)]; match(h) {
			found = append(found, *h)
		}
	}
	r.mu.Unlock() // sorting takes long, and links wait to add theirs
	slices.SortStableFunc(found, func(a, b Hop) int { return a.At.Compare(b.At) })
	return found
}

// cut bounds a text, and makes it valid UTF-8.
func cut(s string) string {
	if len(s) > textLimit {
		s = s[:textLimit] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
