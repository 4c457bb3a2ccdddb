package federation_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
)

// A downstream that does not even say what it is called takes no other's turn at their upstream.
func TestANamelessDownstreamHoldsUpNoOther(t *testing.T) {
	inWorld(t, func(w *world) {
		for n := range 100 {
			w.eu.DeclareExchange(fmt.Sprint("catalog.", n), memory.Topic)
		}
		w.consumer(w.ap, "shop", "item.#")
		eu := &nameless{Broker: w.eu}
		g := w.gatewayOver("eu", map[string]broker.Broker{"eu": eu, "us": w.us, "ap": w.ap}, fromUS)
		w.within(time.Minute, "links wait for its name", func() bool { return eu.asked.Load() >= 16 })
		g.apply(fromUS + `
	there: {pattern: "^catalog", downstream: ap, definition: {federation-upstream: us}}
`)
		g.equal("us/ap/exchanges/catalog", 1)
	})
}

// nameless is a downstream that can be listed, and is silent when it is asked for its name.
type nameless struct {
	*memory.Broker
	asked atomic.Int64
}

// Identity implements broker.Identifier.
func (b *nameless) Identity(ctx context.Context) (broker.Identity, error) {
	b.asked.Add(1)
	<-ctx.Done()
	return broker.Identity{}, ctx.Err()
}
