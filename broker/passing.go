package broker

import (
	"context"
	"errors"
)

// Passing is an ErrRefused or ErrUnroutable of a broker that can tell whether it may pass without anybody's doing: a node of a
// cluster that is down takes queues with it, and messages for them are refused or unroutable until it is back.
type Passing interface {
	error
	// Passing says what is out of order at the broker now; empty: nothing is, or it does not know.
	Passing(ctx context.Context) (why string)
}

// MayPass is Passing of any error; empty if it is none.
func MayPass(ctx context.Context, err error) (why string) {
	if p, ok := errors.AsType[Passing](err); ok {
		return p.Passing(ctx)
	}
	return ""
}
