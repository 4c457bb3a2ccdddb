// Package shop is the applications of a shop, which publish and consume orders and reconnect as applications do; and the
// ledger of what became of each order.
package shop

import (
	"context"
	"time"
)

// Region is a broker's cluster, as the applications of a shop use it.
type Region interface {
	// Publish sends orders from..to-1 to the queue orders, each confirmed.
	Publish(ctx context.Context, from, to int) error
	// Consume takes orders, at most so many a second (0: as fast as they come), until ctx ends.
	Consume(ctx context.Context, queue string, perSecond int, note func(id int)) error
}

// Pacer bounds a consumer to so many messages a second.
func Pacer(perSecond int) (wait func(context.Context), stop func()) {
	if perSecond == 0 {
		return func(context.Context) {}, func() {}
	}
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	return func(ctx context.Context) {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}, tick.Stop
}
