package amqp

import (
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// blocking is whether the broker has asked a connection to stop publishing (connection.blocked). RabbitMQ says so at the
// first publish under an alarm, and then reads no more from the connection.
type blocking struct {
	mu      sync.Mutex
	reason  string
	changed chan struct{} // closed at the next change; nil while nobody waits
}

func (b *blocking) set(now amqp091.Blocking) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !now.Active:
		b.reason = ""
	case now.Reason == "":
		b.reason = "no reason given"
	default:
		b.reason = now.Reason
	}
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// state is what broker.Blocker asks for.
func (b *blocking) state() (reason string, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.reason, b.changed
}
