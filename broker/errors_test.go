package broker_test

import (
	"errors"
	"testing"

	"weir/broker"
)

// A link decides by these errors, so that none may pass for another; only ErrTooLarge is a kind of ErrRefused.
func TestErrorsAreToldApart(t *testing.T) {
	const refused, tooLarge = 1, 2 // in:
	all := []error{
		broker.ErrPending, broker.ErrRefused, broker.ErrTooLarge, broker.ErrUnroutable, broker.ErrNowhere,
		broker.ErrBlocked, broker.ErrDenied, broker.ErrNotFound, broker.ErrUnsupported, broker.ErrLost,
	}
	for i, a := range all {
		for j, b := range all {
			want := i == j || i == tooLarge && j == refused
			if got := errors.Is(a, b); got != want {
				t.Errorf("%q is %q: %v, want %v", a, b, got, want)
			}
		}
	}
}
