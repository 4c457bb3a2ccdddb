package amqp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// The driver decides on reply codes (AMQP 0-9-1, section 1.2) that the broker itself has sent, and on nothing else:
// amqp091-go puts 501 on every error of the socket and guesses 403 while it connects.

// replied returns the broker's own reply in err, or nil.
func replied(err error) *amqp091.Error {
	var reply *amqp091.Error
	if errors.As(err, &reply) && reply.Server {
		return reply
	}
	return nil
}

// code is the reply code in err, 0 if the broker sent none.
func code(err error) int {
	if reply := replied(err); reply != nil {
		return reply.Code
	}
	return 0
}

// words is err as people should read it: the broker's own text, which names the code's symbol and the object.
func words(err error) string {
	if reply := replied(err); reply != nil {
		return fmt.Sprintf("%s (%d)", reply.Reason, reply.Code)
	}
	return err.Error()
}

// explain finds the sentinel for an error of opening, declaring or asking on a connection.
func (c *connection) explain(err error) error {
	if reply := replied(err); reply != nil {
		return classify(reply)
	}
	return lost(err, c.wire)
}

func classify(reply *amqp091.Error) error {
	switch reply.Code {
	case amqp091.AccessRefused:
		return fmt.Errorf("%w: %s", broker.ErrDenied, words(reply))
	case amqp091.NotFound:
		return fmt.Errorf("%w: %s", broker.ErrNotFound, words(reply))
	case amqp091.NotImplemented, amqp091.CommandInvalid: // 503 is also an unknown exchange type
		return fmt.Errorf("%w: %s", broker.ErrUnsupported, words(reply))
	default:
		return errors.New(words(reply))
	}
}

// errNotAllowed: the vhost is missing or forbidden, or there are as many connections as the vhost, the user or this node may
// have.
var errNotAllowed = fmt.Errorf("%w to the vhost", broker.ErrDenied)

// tells is the capability of a broker that answers wrong credentials, where it is asked to (see frank).
const tells = "authentication_failure_close"

// refusal is why a broker did not let us in; said is what it has told of itself before, nil if nothing. RabbitMQ answers wrong
// credentials by 403, and what errNotAllowed says by 530. Other brokers just close the socket, as does anybody who goes away;
// amqp091-go takes it for wrong credentials whatever the reason was.
func refusal(err error, w *wire, said amqp091.Table) error {
	capabilities, _ := said["capabilities"].(amqp091.Table)
	wouldTell, _ := capabilities[tells].(bool)
	gone := errors.Is(w.failure(), io.EOF)
	switch {
	case code(err) == amqp091.NotAllowed:
		return fmt.Errorf("%w: %s", errNotAllowed, words(err))
	case code(err) == amqp091.AccessRefused:
		return fmt.Errorf("%w: %s", broker.ErrDenied, words(err))
	case errors.Is(err, amqp091.ErrSASL):
		return fmt.Errorf("%w: the broker does not offer this auth-mechanism", broker.ErrDenied)
	case said == nil && w.wantsTLS():
		return errTLS
	case said == nil && (gone || errors.Is(w.failure(), syscall.ECONNRESET)): // a load balancer takes connections also while it has no node
		return errNobody
	case errors.Is(err, amqp091.ErrCredentials) && gone && !wouldTell:
		return fmt.Errorf("%w: wrong username or password", broker.ErrDenied)
	case replied(err) == nil && w.failure() != nil:
		return fmt.Errorf("handshake: %w", w.failure())
	default:
		return errors.New(words(err))
	}
}

var errTLS = errors.New("the port is for TLS: let the URI begin with amqps://")

var errNobody = errors.New("closed before the broker said anything: a load balancer without a node, or a node that starts or stops")

// reason is what amqp091-go's NotifyClose has said, nil after a graceful end.
func reason(closed *amqp091.Error) error {
	if closed == nil {
		return nil
	}
	return closed
}

// lost is why a session ended: the broker's words, or what went wrong on the socket.
func lost(err error, w *wire) error {
	switch {
	case replied(err) != nil:
		return fmt.Errorf("%w: %s", broker.ErrLost, words(err))
	case errors.Is(w.failure(), io.EOF):
		return fmt.Errorf("%w: the connection was closed without a word from the broker", broker.ErrLost)
	case errors.Is(w.failure(), os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: the broker fell silent: %w", broker.ErrLost, w.failure())
	case w.failure() != nil:
		return fmt.Errorf("%w: %w", broker.ErrLost, w.failure())
	case err != nil:
		return fmt.Errorf("%w: %w", broker.ErrLost, err)
	default:
		return fmt.Errorf("%w: closed", broker.ErrLost)
	}
}
