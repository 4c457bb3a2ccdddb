package shovel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weir/broker"
	"weir/link"
)

// openTimeout bounds one try to open a destination, so that one that is silent does not keep the next from its turn.
const openTimeout = 10 * time.Second

// choice is a shovel's destinations in order of preference: a link.Destination whose sink takes for each message the
// first that is reachable, has room, and where the message has not been; and a link.Gate that is open while any has room.
type choice struct {
	places []*place
	retry  link.Delays
	log    *slog.Logger

	mu   sync.Mutex
	away []absence // by place
}

// absence is why a place could not be opened, and when to try again.
type absence struct {
	err   error
	until time.Time
	tries int
}

func newChoice(places []*place, retry link.Delays, log *slog.Logger) *choice {
	return &choice{places: places, retry: retry, log: log, away: make([]absence, len(places))}
}

func (c *choice) String() string {
	s := c.places[0].String()
	for _, p := range c.places[1:] {
		s += ", else " + p.String()
	}
	return s
}

// route tells which destination is preferred now, and why others were passed over.
func (c *choice) route() (destination string, passedOver []string) {
	for i, p := range c.places {
		if why := c.unavailable(i); why != "" {
			passedOver = append(passedOver, p.String()+": "+why)
			continue
		}
		return p.String(), passedOver
	}
	return "", passedOver
}

// unavailable says why a place is passed over, whatever the message. Empty: it is not.
func (c *choice) unavailable(i int) string {
	if p := c.places[i]; p.room != nil {
		if why, free := p.room.free(); !free {
			return why
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.away[i]; a.err != nil {
		return "unreachable: " + a.err.Error()
	}
	return ""
}

// absent notes that a place could not be opened or was lost, and returns when to try again.
func (c *choice) absent(i int, err error) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &c.away[i]
	delay := min(c.retry.Min<<min(a.tries, 16), c.retry.Max)
	if a.err == nil {
		c.log.Warn("destination passed over", "destination", c.places[i].String(), "error", err, "next-try", delay)
	}
	a.err, a.until, a.tries = err, time.Now().Add(delay), a.tries+1
	return a.until
}

func (c *choice) present(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away[i].err != nil {
		c.log.Info("destination is back", "destination", c.places[i].String())
	}
	c.away[i] = absence{}
}

// Open implements link.Gate.
func (c *choice) Open(ctx context.Context) (context.Context, func(), error) {
	for {
		c.look(ctx)
		if c.anyRoom() {
			break
		}
		if !pause(ctx, watchEvery) {
			return nil, nil, ctx.Err()
		}
	}
	open, shut := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer shut()
		for c.anyRoom() && pause(open, watchEvery) {
			c.look(open)
		}
	})
	return open, func() { shut(); watching.Wait() }, nil
}

// Shut implements link.Gate.
func (c *choice) Shut() (link.State, string) {
	if c.anyRoom() {
		return "", ""
	}
	_, passedOver := c.route()
	return link.Shut, fmt.Sprintf("no destination has room: %v", passedOver)
}

func (c *choice) look(ctx context.Context) {
	for _, p := range c.places {
		if p.room != nil {
			p.room.look(ctx)
		}
	}
}

func (c *choice) anyRoom() bool {
	for _, p := range c.places {
		if p.room == nil {
			return true
		}
		if _, free := p.room.free(); free {
			return true
		}
	}
	return false
}

// watched tells whether any destination declares room, so that the gate is needed.
func (c *choice) watched() bool {
	for _, p := range c.places {
		if p.room != nil {
			return true
		}
	}
	return false
}

// OpenSink implements link.Destination: it opens the first destination that can be.
func (c *choice) OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error) {
	s := newChoiceSink(c, o)
	var faults []error
	for i := range c.places {
		if why := c.roomless(i); why != nil {
			faults = append(faults, why)
			continue
		}
		if err := s.open(ctx, i); err != nil {
			faults = append(faults, err)
			continue
		}
		s.start()
		return s, nil
	}
	_ = s.Close()
	return nil, errors.Join(faults...)
}

func (c *choice) roomless(i int) error {
	p := c.places[i]
	if p.room == nil {
		return nil
	}
	if why, free := p.room.free(); !free {
		return fmt.Errorf("%s: %s", p, why)
	}
	return nil
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
