package shovel

import (
	"context"
	"strings"
	"sync"

	"weir/link"
)

// rooms is a link.Gate that is open while any destination of a choice has room.
type rooms struct{ *choice }

// Open implements link.Gate.
func (r rooms) Open(ctx context.Context) (context.Context, func(), error) {
	watching, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	r.lookAll(ctx)
	for _, p := range r.places {
		if p.room != nil {
			running.Go(func() { p.room.run(watching, r.stir) })
		}
	}
	done := func() { stop(); running.Wait() }
	if !r.await(watching, true) {
		done()
		return nil, nil, ctx.Err()
	}
	open, shut := context.WithCancel(watching)
	running.Go(func() {
		defer shut()
		r.await(open, false)
	})
	return open, done, nil
}

// Shut implements link.Gate.
func (r rooms) Shut() (link.State, string) {
	if r.hasRoom() {
		return "", ""
	}
	_, passedOver := r.pick(r.unavailable)
	return link.Shut, "no destination has room: " + strings.Join(passedOver, "; ")
}

// lookAll looks at each, so that none is taken for what it was long ago. One that is silent does not keep the others.
func (r rooms) lookAll(ctx context.Context) {
	var looking sync.WaitGroup
	for _, p := range r.places {
		if p.room != nil {
			looking.Go(func() { p.room.look(ctx) })
		}
	}
	looking.Wait()
}

// await waits until any has room, or none; false if ctx ended first.
func (r rooms) await(ctx context.Context, room bool) bool {
	for {
		change := r.change()
		if r.hasRoom() == room {
			return true
		}
		select {
		case <-change:
		case <-ctx.Done():
			return false
		}
	}
}

// hasRoom tells whether any destination has room.
func (c *choice) hasRoom() bool {
	for _, p := range c.places {
		if p.full() == "" {
			return true
		}
	}
	return false
}

// watched tells whether any destination declares room.
func (c *choice) watched() bool {
	for _, p := range c.places {
		if p.room != nil {
			return true
		}
	}
	return false
}
