package jetstream

import (
	"context"
	"sync"
	"time"
)

// lease is the context of an owner. It ends by itself when the last renewal is too old, even if nothing has run since:
// Err looks at the clock.
type lease struct {
	context.Context
	lose context.CancelCauseFunc

	mu    sync.Mutex
	until time.Time
}

// Err implements context.Context.
func (l *lease) Err() error {
	l.mu.Lock()
	late := time.Now().After(l.until)
	l.mu.Unlock()
	if late {
		l.lose(errLockLost)
	}
	return l.Context.Err()
}

func (l *lease) renewed(asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = asked.Add(lockTrust)
}
