package jetstream

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// returned counts what sessions have given back and nobody has received since. To JetStream that is still unacknowledged;
// to an operator it is ready. The zero value is empty.
type returned struct {
	mu sync.Mutex
	of map[string]givenBack // by place.key
}

// givenBack is how many messages, when the consumer had made so many deliveries: it delivers these before any other.
type givenBack struct {
	messages  uint64
	delivered uint64
	created   time.Time // of the consumer
}

// add notes messages that are about to be given back to a consumer.
func (r *returned) add(key string, info *jetstream.ConsumerInfo, messages int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = make(map[string]givenBack)
	}
	all := r.left(key, info) + uint64(messages)
	r.of[key] = givenBack{messages: all, delivered: info.Delivered.Consumer, created: info.Created}
}

// ready is how many are left according to a reading of the consumer.
func (r *returned) ready(key string, info *jetstream.ConsumerInfo) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := r.left(key, info)
	if left == 0 {
		delete(r.of, key)
	}
	return min(int(left), info.NumAckPending)
}

func (r *returned) left(key string, info *jetstream.ConsumerInfo) uint64 {
	g := r.of[key]
	since := info.Delivered.Consumer - g.delivered
	if !g.created.Equal(info.Created) || since >= g.messages {
		return 0
	}
	return g.messages - since
}
