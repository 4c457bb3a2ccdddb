package federation_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"weir/broker"
	"weir/broker/memory"
)

// road is a broker as one gateway reaches it: requests take their time, and a cut loses what goes over it, other gateways
// unharmed. What was asked for may have been done all the same.
type road struct {
	*memory.Broker
	t interface{ Errorf(string, ...any) }

	mu       sync.Mutex
	cuts     int   // sessions of before a cut are lost
	closed   error // nil: it is open
	slow     time.Duration
	sessions []io.Closer
	hints    []context.CancelFunc
}

// cut loses all that is on its way. closed: the road stays closed until open, with that error.
func (r *road) cut(closed error) {
	r.mu.Lock()
	r.cuts++
	r.closed = closed
	sessions, hints := r.sessions, r.hints
	r.sessions, r.hints = nil, nil
	r.mu.Unlock()
	for _, s := range sessions {
		_ = s.Close()
	}
	for _, end := range hints {
		end()
	}
}

// errSilent closes a road on which nothing answers.
var errSilent = errors.New("silent")

func (r *road) open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = nil
}

func (r *road) delay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slow = d
}

// there is the way to the broker; back the way of the answer.
func (r *road) there(ctx context.Context) (back func() error, err error) {
	r.mu.Lock()
	cuts, slow := r.cuts, r.slow
	r.mu.Unlock()
	way := func() error {
		timer := time.NewTimer(slow)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		r.mu.Lock()
		closed, lost := r.closed, r.cuts != cuts
		r.mu.Unlock()
		switch {
		case errors.Is(closed, errSilent):
			<-ctx.Done()
			return ctx.Err()
		case closed == nil && lost:
			return broker.ErrLost
		}
		return closed
	}
	return way, way()
}

// over makes a request.
func over[T any](ctx context.Context, r *road, request func() (T, error)) (T, error) {
	var none T
	back, err := r.there(ctx)
	if err != nil {
		return none, err
	}
	answer, err := request()
	if lost := back(); lost != nil {
		return none, lost
	}
	return answer, err
}

// must is over for a request without an answer.
func must(ctx context.Context, r *road, request func() error) error {
	_, err := over(ctx, r, func() (struct{}, error) { return struct{}{}, request() })
	return err
}

// session opens one, which a cut ends.
func session[S io.Closer](ctx context.Context, r *road, opening func() (S, error)) (S, error) {
	var opened io.Closer
	s, err := over(ctx, r, func() (S, error) {
		s, err := opening()
		if err == nil {
			opened = s
			r.mu.Lock()
			r.sessions = append(r.sessions, s)
			r.mu.Unlock()
		}
		return s, err
	})
	if err != nil && opened != nil { // nobody has got it
		_ = opened.Close()
	}
	return s, err
}

func (r *road) OpenSource(ctx context.Context, at broker.Address, o broker.SourceOptions) (broker.Source, error) {
	return session(ctx, r, func() (broker.Source, error) { return r.Broker.OpenSource(ctx, at, o) })
}

func (r *road) OpenSink(ctx context.Context, at broker.Address, o broker.SinkOptions) (broker.Sink, error) {
	return session(ctx, r, func() (broker.Sink, error) { return r.Broker.OpenSink(ctx, at, o) })
}

func (r *road) Depth(ctx context.Context, at broker.Address) (broker.Depth, error) {
	return over(ctx, r, func() (broker.Depth, error) { return r.Broker.Depth(ctx, at) })
}

func (r *road) Exchanges(ctx context.Context) ([]broker.Exchange, error) {
	return over(ctx, r, func() ([]broker.Exchange, error) { return r.Broker.Exchanges(ctx) })
}

func (r *road) Queues(ctx context.Context) ([]broker.Queue, error) {
	return over(ctx, r, func() ([]broker.Queue, error) { return r.Broker.Queues(ctx) })
}

func (r *road) Bindings(ctx context.Context, exchange string) ([]broker.Binding, error) {
	return over(ctx, r, func() ([]broker.Binding, error) { return r.Broker.Bindings(ctx, exchange) })
}

func (r *road) Hints(ctx context.Context) (<-chan broker.Hint, error) {
	return over(ctx, r, func() (<-chan broker.Hint, error) {
		ctx, end := context.WithCancel(ctx)
		r.mu.Lock()
		r.hints = append(r.hints, end)
		r.mu.Unlock()
		return r.Broker.Hints(ctx)
	})
}

func (r *road) DeclareBuffer(ctx context.Context, b broker.Buffer) error {
	return must(ctx, r, func() error { return r.Broker.DeclareBuffer(ctx, b) })
}

func (r *road) Bound(ctx context.Context, b broker.Buffer) ([]broker.Binding, error) {
	return over(ctx, r, func() ([]broker.Binding, error) { return r.Broker.Bound(ctx, b) })
}

// Rebind adds, and removes a moment later, or never.
func (r *road) Rebind(ctx context.Context, b broker.Buffer, add, remove []broker.Binding) error {
	if err := must(ctx, r, func() error { return r.Broker.Rebind(ctx, b, add, nil) }); err != nil {
		return err
	}
	return must(ctx, r, func() error { return r.Broker.Rebind(ctx, b, nil, remove) })
}

func (r *road) Waiting(ctx context.Context, prefix string) ([]broker.Waiting, error) {
	return over(ctx, r, func() ([]broker.Waiting, error) { return r.Broker.Waiting(ctx, prefix) })
}

// DeleteBuffer is never asked to delete messages.
func (r *road) DeleteBuffer(ctx context.Context, name string, force bool) error {
	if force {
		r.t.Errorf("%s is to be deleted whatever is in it", name)
	}
	return must(ctx, r, func() error { return r.Broker.DeleteBuffer(ctx, name, force) })
}
