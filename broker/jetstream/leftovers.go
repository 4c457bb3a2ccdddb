package jetstream

import (
	"sync"
	"time"
)

// leftovers are what sessions held when their connection was lost. JetStream would deliver that again only after the ack
// wait; the next session on the consumer gives it back first, so that it comes at once and before anything newer.
// The zero value is empty.
type leftovers struct {
	mu sync.Mutex
	of map[string][]delivery // by place.key
}

func (l *leftovers) keep(key string, rest []delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(rest) == 0 {
		return
	}
	if l.of == nil {
		l.of = make(map[string][]delivery)
	}
	l.of[key] = append(l.of[key], rest...)
}

// take returns what can still be given back: what is close to its ack wait may be somebody else's by now.
func (l *leftovers) take(key string, ackWait time.Duration) (young []delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.of[key] {
		if time.Since(d.touched) < ackWait*3/4 {
			young = append(young, d)
		}
	}
	delete(l.of, key)
	return young
}
