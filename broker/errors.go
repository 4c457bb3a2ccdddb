package broker

import (
	"errors"
	"fmt"
)

// These errors decide what a link does next. Drivers wrap them with the broker's own words; nothing is ever decided on
// those words. Any error that is none of these means that the session is lost and another one is worth trying.
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
