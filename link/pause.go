package link

import (
	"context"
	"sync"
)

// pause holds a link back, by an operator's word or its own. Make it with newPause.
type pause struct {
	mu      sync.Mutex
	reason  string             // empty: it may run
	manual  bool               // an operator said so
	changed chan struct{}      // closed at the next change
	stop    context.CancelFunc // ends what runs now
}

func newPause() *pause { return &pause{changed: make(chan struct{}), stop: func() {}} }

// set pauses, or pauses for another reason; what the link finds itself does not overrule an operator.
func (p *pause) set(reason string, manual bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !manual && p.reason != "" {
		return
	}
	p.reason, p.manual = reason, manual
	p.tell()
	p.stop()
}

func (p *pause) lift() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reason = ""
	p.tell()
}

func (p *pause) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// now is why it is paused, empty if it is not, and a channel that is closed at the next change.
func (p *pause) now() (reason string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason, p.changed
}

// byHand is why an operator has paused it, empty if none has.
func (p *pause) byHand() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.manual {
		return ""
	}
	return p.reason
}

// run returns a context that ends when the link is paused.
func (p *pause) run(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop = cancel
	if p.reason != "" {
		cancel()
	}
	return ctx, cancel
}
