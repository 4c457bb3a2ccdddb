package shovel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/broker"
	"weir/link"
)

// openTimeout bounds one try to open a destination, so that one that is silent does not keep the next from its turn.
const openTimeout = 10 * time.Second

// choice is a shovel's destinations in order of preference: a link.Destination whose sink takes for each message the
// first that is reachable, has room, and where the message has not been.
type choice struct {
	places []*place
	delays link.Delays
	log    *slog.Logger

	mu      sync.Mutex
	reached []reached     // by place
	changed chan struct{} // closed when a destination may have become usable, or none is any more
}

func newChoice(places []*place, delays link.Delays, log *slog.Logger) *choice {
	c := &choice{
		places: places, delays: delays, log: log,
		reached: make([]reached, len(places)), changed: make(chan struct{}),
	}
	for i := range c.reached {
		c.reached[i].retry = link.NewBackoff(delays)
	}
	return c
}

func (c *choice) String() string {
	names := make([]string, len(c.places))
	for i, p := range c.places {
		names[i] = p.String()
	}
	return strings.Join(names, ", else ")
}

// Places implements link.Destination.
func (c *choice) Places() []broker.Place {
	all := make([]broker.Place, len(c.places))
	for i, p := range c.places {
		all[i] = p.Places()[0]
	}
	return all
}

// OpenSink implements link.Destination: it opens the first destination that can be. Those that could not be opened come after
// the others, because a silent one takes its time, and those to be tried later come last, so that one that opens and is lost
// at once, or confirms nothing, does not keep the next from its turn.
func (c *choice) OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error) {
	c.begin(o.Alone)
	s := newChoiceSink(c, o)
	var now, then, later []int
	for i := range c.places {
		switch {
		case !c.due(i):
			later = append(later, i)
		case c.isUnopened(i):
			then = append(then, i)
		default:
			now = append(now, i)
		}
	}
	var why faults
	for _, i := range slices.Concat(now, then, later) {
		p := c.places[i]
		if full := p.full(); full != "" {
			why = append(why, fmt.Errorf("%s: %s", p, full))
			continue
		}
		if err := s.open(ctx, i); err != nil {
			why = append(why, err)
			continue
		}
		s.reopen()
		return s, nil
	}
	_ = s.Close()
	return nil, why.join()
}

// faults are why none of several destinations can be opened.
type faults []error

// join makes one error of them, which an operator must act upon only if each of them is such a one.
func (f faults) join() error {
	all := broker.Join(f...)
	for _, err := range f {
		if !errors.Is(err, broker.ErrDenied) && !errors.Is(err, broker.ErrUnsupported) {
			return errors.New(all.Error())
		}
	}
	return all
}

// survey looks at all destinations now, and tells which one is preferred and why others are passed over.
func (c *choice) survey(ctx context.Context) (destination string, passedOver []string) {
	var looking sync.WaitGroup
	for i, p := range c.places {
		if p.room != nil {
			looking.Go(func() { p.room.look(ctx) })
		}
		looking.Go(func() {
			err := p.check(ctx)
			switch {
			case ctx.Err() != nil:
			case err != nil:
				c.absent(i, err)
			default:
				c.present(i)
			}
		})
	}
	looking.Wait()
	return c.pick(c.unavailable)
}

// pick tells which destination is preferred, and why others are passed over: why is empty for one that is not.
func (c *choice) pick(why func(i int) string) (destination string, passedOver []string) {
	for i, p := range c.places {
		reason := why(i)
		if reason == "" {
			return p.String(), passedOver
		}
		passedOver = append(passedOver, p.String()+": "+reason)
	}
	return "", passedOver
}

// unavailable says why a place is passed over, whatever the message. Empty: it is not.
func (c *choice) unavailable(i int) string {
	if why := c.places[i].full(); why != "" {
		return why
	}
	return c.awayFrom(i)
}

// stir wakes those who wait for a destination.
func (c *choice) stir() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// change is closed at the next stir.
func (c *choice) change() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}
