package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"weir/broker"
)

// apiAdvisory tells of every request to the JetStream API that has been served. It is the only word of a filter that has
// changed.
const (
	apiAdvisory      = "$JS.EVENT.ADVISORY.API"
	streamAdvisory   = "$JS.EVENT.ADVISORY.STREAM."
	consumerAdvisory = "$JS.EVENT.ADVISORY.CONSUMER."
)

// hints gathers what has changed until somebody takes it.
type hints struct {
	names names
	more  chan struct{}

	mu      sync.Mutex
	changed map[broker.Hint]struct{}
}

// Hints implements broker.Catalog by JetStream's advisories. The channel is closed when the connection is lost, too.
func (b *Broker) Hints(ctx context.Context) (<-chan broker.Hint, error) {
	out, err := b.hints(ctx)
	if err != nil {
		return nil, fmt.Errorf("hints of changes: %w", err)
	}
	return out, nil
}

func (b *Broker) hints(ctx context.Context) (<-chan broker.Hint, error) {
	if err := b.maySubscribe(ctx, apiAdvisory, streamAdvisory+"CREATED.x", consumerAdvisory+"DELETED.x.x"); err != nil {
		return nil, fmt.Errorf("%w: %w", broker.ErrUnsupported, err)
	}
	c, err := b.manage(ctx)
	if err != nil {
		return nil, err
	}
	h := &hints{names: b.names, more: make(chan struct{}, 1), changed: map[broker.Hint]struct{}{}}
	var subscriptions []*nats.Subscription
	end := func() {
		for _, s := range subscriptions {
			_ = s.Unsubscribe()
		}
	}
	for subject, f := range map[string]nats.MsgHandler{
		apiAdvisory: h.onRequest, streamAdvisory + "*.*": h.onStream, consumerAdvisory + "DELETED.*.*": h.onDeleted,
	} {
		s, err := c.nats.Subscribe(subject, f)
		if err != nil {
			end()
			return nil, lost(err)
		}
		subscriptions = append(subscriptions, s)
	}
	soon, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := c.nats.FlushWithContext(soon); err != nil { // from here on nothing is missed
		end()
		return nil, lost(err)
	}
	refused := make(chan struct{}, 1)
	stop := c.watch(&watcher{refused: func(subject string, _ error) {
		if strings.HasPrefix(subject, "$JS.EVENT.ADVISORY.") {
			notify(refused)
		}
	}})
	out := make(chan broker.Hint)
	began := b.run(func() {
		defer close(out)
		defer end()
		defer stop()
		for {
			select {
			case <-h.more:
				select { // for the rest of a burst, and until the news is everywhere in the cluster
				case <-time.After(settleHints):
				case <-ctx.Done():
					return
				}
				for hint := range h.take() {
					select {
					case out <- hint:
						continue
					case <-ctx.Done():
					case <-b.ctx.Done():
					case <-c.lost:
					}
					return
				}
			case <-refused:
				return
			case <-ctx.Done():
				return
			case <-b.ctx.Done():
				return
			case <-c.lost:
				return
			}
		}
	})
	if !began {
		stop()
		end()
		return nil, errClosed
	}
	return out, nil
}

func (h *hints) add(hint broker.Hint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed[hint] = struct{}{}
	notify(h.more)
}

func (h *hints) take() map[broker.Hint]struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed := h.changed
	h.changed = map[broker.Hint]struct{}{}
	return changed
}

// onStream is told of a stream that was created, updated or deleted.
func (h *hints) onStream(m *nats.Msg) {
	rest := strings.TrimPrefix(m.Subject, streamAdvisory)
	_, stream, _ := strings.Cut(rest, ".")
	if strings.HasPrefix(stream, h.names.streams) {
		h.add(broker.Hint{})
	}
}

// onRequest is told of a request that was served. Those about consumers of an exchange may have changed its bindings.
func (h *hints) onRequest(m *nats.Msg) {
	if stream, consumer, ok := consumerOfRequest(m.Data); ok {
		h.consumer(stream, consumer)
	}
}

// consumerOfRequest reads from an apiAdvisory which consumer was made, changed or deleted. ok is false if none was.
func consumerOfRequest(advisory []byte) (stream, consumer string, ok bool) {
	var served struct {
		Subject string `json:"subject"`
	}
	if json.Unmarshal(advisory, &served) != nil {
		return "", "", false
	}
	_, request, _ := strings.Cut(served.Subject, ".API.CONSUMER.")
	words := strings.Split(strings.TrimPrefix(request, "DURABLE."), ".") // DURABLE.CREATE.<stream>.<consumer> by old clients
	if len(words) < 3 || words[0] != "CREATE" && words[0] != "DELETE" {
		return "", "", false
	}
	return words[1], words[2], true
}

// onDeleted is told of a consumer that has gone, also by itself.
func (h *hints) onDeleted(m *nats.Msg) {
	stream, consumer, _ := strings.Cut(strings.TrimPrefix(m.Subject, consumerAdvisory+"DELETED."), ".")
	h.consumer(stream, consumer)
}

func (h *hints) consumer(stream, name string) {
	if exchange, ok := h.names.ofStream(stream, "x"); ok && name != anchorName {
		h.add(broker.Hint{Exchange: exchange})
	}
}
