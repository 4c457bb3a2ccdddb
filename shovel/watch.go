package shovel

import (
	"context"
	"errors"
	"time"

	"weir/broker"
)

// How often a depth is read: every second, and in between when so many messages have left that it may have reached a
// threshold (see budget); more often while it is not known and messages leave. Destinations that are away are looked
// after as often.
const (
	watchEvery = time.Second
	retryEvery = 200 * time.Millisecond
)

// readTimeout bounds one look at a broker, so that a silent one does not hold up a decision.
const readTimeout = 3 * time.Second

// watch is a queue, or stream and consumer, whose depth is read.
type watch struct {
	name   string // the broker's
	broker broker.Broker
	at     broker.Address
	// declare makes the queue if it is missing: one that only weir makes, where waiting for it would be for ever. nil:
	// somebody else makes it.
	declare func(context.Context) error
	// made: it is declared, empty, when it is first sent to, which waits for its depth.
	made bool
}

func (w watch) String() string { return w.name + " " + w.at.String() }

// read reads the depth once. What could not be read is unknown.
func (w watch) read(ctx context.Context) (broker.Depth, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	depth, err := w.broker.Depth(ctx, w.at)
	if errors.Is(err, broker.ErrNotFound) && w.declare != nil {
		if err = w.declare(ctx); err == nil {
			depth, err = w.broker.Depth(ctx, w.at)
		}
	}
	if errors.Is(err, broker.ErrNotFound) && w.made {
		return broker.Depth{Ready: broker.Counted(0), At: time.Now()}, nil
	}
	if err != nil {
		return broker.Depth{At: time.Now()}, err
	}
	return depth, nil
}

// pause waits for d; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
