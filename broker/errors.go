package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// These errors decide what a link does next. Drivers wrap them with the broker's own words; nothing is ever decided on
// those words. Any error that is none of these means that the session is lost and another one is worth trying. An error says
// what failed and at which node; the names of the broker and of the address, whoever has asked adds.
var (
	// ErrPending is what a Confirm says before it is settled.
	ErrPending = errors.New("not confirmed yet")
	// ErrRefused: the broker answered that it will not store this message (basic.nack, a full stream).
	ErrRefused = errors.New("refused by the broker")
	// ErrTooLarge is a refusal that no second try can change.
	ErrTooLarge = fmt.Errorf("%w: too large", ErrRefused)
	// ErrUnroutable: the broker has nowhere to put this message (basic.return, no stream, no interest).
	ErrUnroutable = errors.New("unroutable")
	// ErrUnwanted: nobody at the destination wants this message (it has been there, or crossed enough links), so nothing was
	// sent. A link acks it and counts it.
	ErrUnwanted = errors.New("not wanted at the destination")
	// ErrNowhere: every destination of the sink is ruled out for this message for now. Nothing was sent.
	ErrNowhere = errors.New("no destination for this message")
	// ErrBlocked: the broker has asked publishers to wait (connection.blocked). Nothing was sent.
	ErrBlocked = errors.New("blocked by the broker")
	// ErrDenied: wrong credentials, or a permission is missing. An operator must act.
	ErrDenied = errors.New("access denied")
	// ErrNotFound: the queue, exchange, stream or consumer does not exist.
	ErrNotFound = errors.New("not found")
	// ErrUnsupported: this broker cannot do what was asked. Trying again is useless.
	ErrUnsupported = errors.New("not supported by this broker")
	// ErrLost: the session ended; whether what was in flight has been stored is unknown.
	ErrLost = errors.New("session lost")
)

// Join is errors.Join on one line, as logs and tables have it.
func Join(errs ...error) error {
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return joined(errs)
}

type joined []error

func (j joined) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (j joined) Unwrap() []error { return j }
