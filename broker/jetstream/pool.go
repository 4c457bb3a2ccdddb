package jetstream

import (
	"context"
	"slices"
	"sync"
)

// pool shares connections for one use among sessions.
type pool struct {
	dial func(ctx context.Context, use string) (*conn, error)
	use  string
	most int           // sessions on one connection
	turn chan struct{} // held by the one that dials, so that sessions that open together share a connection

	mu    sync.Mutex
	conns []*conn // those that are shared
}

func newPool(use string, most int, dial func(context.Context, string) (*conn, error)) *pool {
	return &pool{dial: dial, use: use, most: most, turn: make(chan struct{}, 1)}
}

// acquire returns a connection for one session, which hands it back by release.
func (p *pool) acquire(ctx context.Context, alone bool) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if alone {
		return p.dial(ctx, p.use+" alone")
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := p.free(); c != nil {
		return c, nil
	}
	c, err := p.dial(ctx, p.use)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.users = 1
	p.conns = append(p.conns, c)
	return c, nil
}

// free takes a place on a connection that has one.
func (p *pool) free() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if !c.dead() && c.users < p.most {
			c.users++
			return c
		}
	}
	return nil
}

// release hands a connection back; after the last session it closes.
func (p *pool) release(c *conn) {
	p.mu.Lock()
	c.users--
	last := c.users <= 0
	if last {
		p.conns = slices.DeleteFunc(p.conns, func(o *conn) bool { return o == c })
	}
	p.mu.Unlock()
	if last {
		c.close()
	}
}
