package link

import (
	"context"
	"sync"
)

// pause holds a link back, by an operator's word or its own.
type pause struct {
	mu     sync.Mutex
	reason string             // empty: it may run
	manual bool               // an operator said so
	lifted chan struct{}      // closed when it is resumed
	stop   context.CancelFunc // ends what runs now
}

// set pauses, or pauses for another reason.
func (p *pause) set(reason string, manual bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason == "" {
		p.lifted = make(chan struct{})
	}
	p.reason, p.manual = reason, manual
	if p.stop != nil {
		p.stop()
	}
}

func (p *pause) lift() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != "" {
		p.reason = ""
		close(p.lifted)
	}
}

func (p *pause) now() (reason string, lifted <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason, p.lifted
}

// byHand returns the reason if an operator paused it.
func (p *pause) byHand() (reason string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason, p.reason != "" && p.manual
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
