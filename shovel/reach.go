package shovel

import (
	"errors"
	"time"

	"weir/link"
)

// reached is how it went to reach a place.
type reached struct {
	away     error     // why it could not be opened or was lost, nil: it was not
	opened   time.Time // the last time it could be
	unopened bool      // it could not be opened when that was tried last
	again    bool      // it has been away since it last stayed open for a while
	retry    *link.Backoff
	next     time.Time // when to try again
	used     bool      // by the last session
}

// errStalled: the last two sessions ended without a confirm.
var errStalled = errors.New("it takes messages and confirms none")

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

// isUnopened tells whether a place could not be opened when that was tried last.
func (c *choice) isUnopened(i int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reached[i].unopened
}

// absent notes that a place could not be opened: it is tried again with back-off.
func (c *choice) absent(i int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reached[i].unopened = true
	c.note(i, err, false)
}

// dropped notes that a place was lost. After a session that lasted it is tried again at once, since most often another
// node is there.
func (c *choice) dropped(i int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(i, err, true)
}

// begin notes that a session begins. If the last two made no progress, the places that the last one used are away for the
// longest delay.
func (c *choice) begin(stalled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.reached {
		if stalled && c.reached[i].used {
			c.note(i, errStalled, false)
			c.reached[i].next = time.Now().Add(c.delays.Max)
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

// note notes that a place is away. atOnce: it is tried again without a delay, if it had stayed open for a while.
func (c *choice) note(i int, err error, atOnce bool) {
	r := &c.reached[i]
	now := time.Now()
	if r.away == nil {
		c.log.Warn("destination passed over", "destination", c.places[i].String(), "error", err)
		if now.Sub(r.opened) > c.delays.Max {
			r.again = false
			r.retry.Reset()
		}
	}
	r.away, r.next = err, now
	if r.again || !atOnce {
		r.next = now.Add(r.retry.Next())
	}
	r.again = true
}

// present notes that a place is open, or could be.
func (c *choice) present(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.reached[i]
	if r.away != nil {
		c.log.Info("destination is back", "destination", c.places[i].String())
	}
	r.away, r.opened, r.unopened = nil, time.Now(), false
}
