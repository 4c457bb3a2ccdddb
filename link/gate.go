package link

import "context"

// Gate says when a link may run. A threshold, a lock among several gateways and a schedule are all gates.
type Gate interface {
	// Open waits until the link may run, or ctx ends. The context it returns ends when the link may run no longer; a
	// lost session does not shut it. done must be called once the link has stopped; it waits for what Open started.
	Open(ctx context.Context) (open context.Context, done func(), err error)
	// Shut tells why the gate is shut ("1204 ready, opens at 10000"), empty while it is open, and whether that is Shut
	// or Standby.
	Shut() (state State, why string)
}

// Always is a Gate that is open.
type Always struct{}

// Open implements Gate.
func (Always) Open(ctx context.Context) (context.Context, func(), error) {
	return ctx, func() {}, nil
}

// Shut implements Gate.
func (Always) Shut() (State, string) { return "", "" }

// Both is open while two gates are: first is passed before second is asked, and again whenever second has shut.
func Both(first, second Gate) Gate { return both{first, second} }

type both struct{ first, second Gate }

func (b both) Open(ctx context.Context) (context.Context, func(), error) {
	for {
		outer, outerDone, err := b.first.Open(ctx)
		if err != nil {
			return nil, nil, err
		}
		inner, innerDone, err := b.second.Open(outer)
		if err == nil {
			return inner, func() { innerDone(); outerDone() }, nil
		}
		shutAgain := outer.Err() != nil && ctx.Err() == nil
		outerDone()
		if !shutAgain {
			return nil, nil, err
		}
	}
}

func (b both) Shut() (State, string) {
	if state, why := b.first.Shut(); why != "" {
		return state, why
	}
	return b.second.Shut()
}
