package shovel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"weir/broker"
	"weir/link"
)

// openTimeout bounds one try to open a destination, so that one that is silent does not keep the next from its turn.
const openTimeout = 10 * time.Second

// mostFaults: by then a delay is as long as it gets.
const mostFaults = 16

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

// reached is how it went to reach a place.
type reached struct {
	away   error     // why it could not be opened or was lost, nil: it was not
	opened time.Time // the last time it could be
	faults int       // since it last stayed open for a while
	next   time.Time // when to try again
	used   bool      // by the last session
}

// errStalled: the last two sessions ended without a confirm.
var errStalled = errors.New("it takes messages and confirms none")

func newChoice(places []*place, delays link.Delays, log *slog.Logger) *choice {
	return &choice{
		places: places, delays: delays, log: log,
		reached: make([]reached, len(places)), changed: make(chan struct{}),
	}
}

func (c *choice) String() string {
	s := c.places[0].String()
	for _, p := range c.places[1:] {
		s += ", else " + p.String()
	}
	return s
}

// OpenSink implements link.Destination: it opens the first destination that can be. Those to be tried later come last, so
// that one that opens and is lost at once, or confirms nothing, does not keep the next from its turn.
func (c *choice) OpenSink(ctx context.Context, o broker.SinkOptions) (broker.Sink, error) {
	c.begin(o.Alone)
	s := newChoiceSink(c, o)
	var now, later []int
	for i := range c.places {
		if c.due(i) {
			now = append(now, i)
		} else {
			later = append(later, i)
		}
	}
	var faults []error
	for _, i := range append(now, later...) {
		p := c.places[i]
		if why := p.full(); why != "" {
			faults = append(faults, fmt.Errorf("%s: %s", p, why))
			continue
		}
		if err := s.open(ctx, i); err != nil {
			faults = append(faults, err)
			continue
		}
		s.running.Go(s.reopen)
		return s, nil
	}
	_ = s.Close()
	return nil, errors.Join(faults...)
}

// survey looks at all destinations now, and tells which one is preferred and why others are passed over.
func (c *choice) survey(ctx context.Context) (destination string, passedOver []string) {
	var looking sync.WaitGroup
	for i, p := range c.places {
		looking.Go(func() {
			if p.room != nil {
				p.room.look(ctx)
			}
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

func (c *choice) awayFrom(i int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if away := c.reached[i].away; away != nil {
		return "unreachable: " + away.Error()
	}
	return ""
}

// due tells whether a place may be tried.
func (c *choice) due(i int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !time.Now().Before(c.reached[i].next)
}

// absent notes that a place could not be opened: it is tried again with back-off.
func (c *choice) absent(i int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(i, err, 1)
}

// dropped notes that a place was lost. After a session that lasted it is tried again at once, since most often another
// node is there.
func (c *choice) dropped(i int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(i, err, 0)
}

// begin notes that a session begins. If the last two made no progress, the places that the last one used are away for the
// longest delay.
func (c *choice) begin(stalled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.reached {
		if stalled && c.reached[i].used {
			c.note(i, errStalled, mostFaults)
		}
		c.reached[i].used = false
	}
}

// use notes that a message was sent to a place.
func (c *choice) use(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reached[i].used = true
}

// note notes that a place is away, after at least so many faults.
func (c *choice) note(i int, err error, faults int) {
	r := &c.reached[i]
	now := time.Now()
	if r.away == nil {
		c.log.Warn("destination passed over", "destination", c.places[i].String(), "error", err)
		if now.Sub(r.opened) > c.delays.Max {
			r.faults = 0
		}
	}
	r.faults = max(r.faults, faults)
	r.away, r.next = err, now.Add(c.delay(r.faults))
	r.faults++
}

// delay is the wait after so many faults in a row: none after the first, then between a half and the whole of a bound
// that doubles.
func (c *choice) delay(faults int) time.Duration {
	if faults == 0 {
		return 0
	}
	bound := min(c.delays.Min<<min(faults-1, mostFaults), c.delays.Max)
	return bound/2 + rand.N(bound/2+1)
}

// present notes that a place is open, or could be.
func (c *choice) present(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.reached[i]
	if r.away != nil {
		c.log.Info("destination is back", "destination", c.places[i].String())
	}
	r.away, r.opened = nil, time.Now()
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
