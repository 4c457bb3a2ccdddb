package broker

import "sync"

// Confirm is the destination's answer to one Send.
type Confirm interface {
	// Err is ErrPending until the answer is known. Then nil: the destination is responsible for the message now;
	// ErrRefused, ErrTooLarge, ErrUnroutable: it will not take it; anything else: the session was lost and nobody
	// knows whether it was stored.
	Err() error
	// Done is closed when the answer is known.
	Done() <-chan struct{}
}

// Answer is a Confirm for drivers that learn the answer by a callback. The zero value is pending. It allocates a channel
// only if somebody has to wait.
type Answer struct {
	mu      sync.Mutex
	settled bool
	err     error
	done    chan struct{}
}

// Settle gives the answer. The first call counts.
func (a *Answer) Settle(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.settled {
		return
	}
	a.settled, a.err = true, err
	if a.done != nil {
		close(a.done)
	}
}

// Err implements Confirm.
func (a *Answer) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.settled {
		return ErrPending
	}
	return a.err
}

// Done implements Confirm.
func (a *Answer) Done() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done == nil {
		a.done = make(chan struct{})
		if a.settled {
			close(a.done)
		}
	}
	return a.done
}
