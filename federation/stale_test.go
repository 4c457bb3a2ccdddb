package federation_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
)

// A gateway whose reading of the downstream took long may take away what another has bound meanwhile: the other, which alone
// knows better, puts it back soon.
func TestWhatAStaleViewTakesAwayComesBackSoon(t *testing.T) {
	t.Run("a binding", func(t *testing.T) {
		inWorld(t, func(w *world) {
			slow := staleView(w)
			w.eu.Unbind("shop", "catalog", "a")
			w.within(8*time.Second, "one has unbound it, the other reads", func() bool {
				return len(w.boundAt(w.us, "catalog")) == 0 && slow.reading.Load() == 1
			})
			w.eu.Bind("shop", "catalog", "a")
			takenAwayAndBack(w)
		})
	})
	t.Run("the exchange", func(t *testing.T) {
		inWorld(t, func(w *world) {
			slow := staleView(w)
			w.eu.DeleteExchange("catalog")
			w.within(8*time.Second, "one has unbound it, the other reads", func() bool {
				return len(w.boundAt(w.us, "catalog")) == 0 && slow.reading.Load() == 1
			})
			w.eu.DeclareExchange("catalog", memory.Topic)
			w.eu.Bind("shop", "catalog", "a")
			takenAwayAndBack(w)
		})
	})
}

// staleView is two gateways over one downstream, whose second takes long to read from now on.
func staleView(w *world) *slowCatalog {
	w.consumer(w.eu, "shop", "a")
	w.gateway("eu", fromUS).equal("us/exchanges/catalog", 1)
	slow := &slowCatalog{Broker: w.eu}
	w.gatewayOver("eu", map[string]broker.Broker{"eu": slow, "us": w.us}, fromUS).equal("us/exchanges/catalog", 1)
	slow.slow.Store(true)
	return slow
}

// takenAwayAndBack demands that the binding is mirrored, taken away, and mirrored again.
func takenAwayAndBack(w *world) {
	bound := func() bool { return slices.Equal(w.boundAt(w.us, "catalog"), []string{"a"}) }
	w.within(5*time.Second, "it is mirrored", bound)
	w.within(20*time.Second, "it is taken away by the other", func() bool { return !bound() })
	w.within(15*time.Second, "it is back", bound)
}

// slowCatalog answers with what was so a while ago.
type slowCatalog struct {
	*memory.Broker
	slow    atomic.Bool
	reading atomic.Int64
}

// Bindings implements broker.Catalog.
func (c *slowCatalog) Bindings(ctx context.Context, exchange string) ([]broker.Binding, error) {
	list, err := c.Broker.Bindings(ctx, exchange)
	return list, c.late(ctx, err)
}

// Exchanges implements broker.Catalog.
func (c *slowCatalog) Exchanges(ctx context.Context) ([]broker.Exchange, error) {
	list, err := c.Broker.Exchanges(ctx)
	return list, c.late(ctx, err)
}

func (c *slowCatalog) late(ctx context.Context, err error) error {
	if !c.slow.Load() {
		return err
	}
	c.reading.Add(1)
	defer c.reading.Add(-1)
	select {
	case <-time.After(9 * time.Second):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
