package link

import (
	"context"
	"errors"
	"fmt"

	"weir/broker"
)

// errTaken ends a link that has delete-after: everything it may take has left the source.
var errTaken = errors.New("delete-after was reached")

// reckonTotal finds out, once, how many messages delete-after allows.
func (l *Link) reckonTotal(ctx context.Context) error {
	switch {
	case l.total > 0 || l.spec.DeleteAfter == 0:
	case l.spec.DeleteAfter > 0:
		l.total = l.spec.DeleteAfter
	default:
		depth, err := l.spec.Source.Broker.Depth(ctx, l.spec.Source.At)
		if errors.Is(err, broker.ErrNotFound) && !l.spec.Source.Options.Predeclared {
			return nil // opening it declares it, empty
		}
		if err != nil {
			return fmt.Errorf("length of %s: %w", l.spec.Source, err)
		}
		if !depth.Ready.Known {
			return fmt.Errorf("length of %s is not known yet", l.spec.Source)
		}
		l.total = depth.Ready.N
	}
	return nil
}

// remaining is how many messages delete-after leaves. Those count that have left the source, not those that were
// confirmed: what was confirmed and could not be acked comes again, and must be taken again.
func (l *Link) remaining() int64 { return l.total - l.board.settled.Load() }
