package amqp

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// Ensure an error of opening is told by the broker's reply code alone: the library puts codes on errors of its own, too.
func TestExplain(t *testing.T) {
	reset := errors.New("connection reset by peer")
	for name, c := range map[string]struct {
		err    error
		socket error
		want   error
	}{
		"403":                     {&amqp091.Error{Code: 403, Reason: "ACCESS_REFUSED - no", Server: true}, nil, broker.ErrDenied},
		"404":                     {&amqp091.Error{Code: 404, Reason: "NOT_FOUND - no queue", Server: true}, nil, broker.ErrNotFound},
		"540":                     {&amqp091.Error{Code: 540, Reason: "NOT_IMPLEMENTED", Server: true}, nil, broker.ErrUnsupported},
		"503":                     {&amqp091.Error{Code: 503, Reason: "COMMAND_INVALID - type", Server: true}, nil, broker.ErrUnsupported},
		"404 of the library":      {&amqp091.Error{Code: 404, Reason: "403 ACCESS_REFUSED"}, nil, broker.ErrLost},
		"a text that looks so":    {errors.New("Exception (404) NOT_FOUND"), nil, broker.ErrLost},
		"the socket":              {&amqp091.Error{Code: 501, Reason: "read"}, reset, reset},
		"closed":                  {amqp091.ErrClosed, reset, reset},
		"closed without a reason": {amqp091.ErrClosed, nil, broker.ErrLost},
	} {
		t.Run(name, func(t *testing.T) {
			conn := &connection{wire: &wire{cause: c.socket}}
			err := conn.explain(c.err)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if reply := replied(c.err); reply != nil && !strings.Contains(err.Error(), reply.Reason) {
				t.Errorf("%v has not the broker's words", err)
			}
		})
	}
	other := (&connection{wire: &wire{}}).explain(&amqp091.Error{Code: 406, Reason: "PRECONDITION_FAILED - inequivalent arg", Server: true})
	for _, sentinel := range []error{broker.ErrDenied, broker.ErrNotFound, broker.ErrUnsupported, broker.ErrRefused} {
		if errors.Is(other, sentinel) {
			t.Errorf("406 while opening is %v", sentinel)
		}
	}
}

// Ensure a login that was refused is told from a broker that has gone away meanwhile, which the library does not.
func TestRefusal(t *testing.T) {
	silent := amqp091.Table(nil)
	old := amqp091.Table{"product": "an old broker"}
	frank := amqp091.Table{"product": "RabbitMQ", "capabilities": amqp091.Table{"authentication_failure_close": true}}
	for name, c := range map[string]struct {
		err    error
		socket error
		said   amqp091.Table // what the broker has said of itself before
		denied bool
	}{
		"wrong password":         {amqp091.ErrCredentials, io.EOF, old, true},
		"it would have said so":  {amqp091.ErrCredentials, io.EOF, frank, false}, // a node that stops, seen through a balancer
		"gone meanwhile":         {amqp091.ErrCredentials, net.ErrClosed, old, false},
		"nobody there":           {amqp091.ErrClosed, io.EOF, silent, false},
		"nobody there, in haste": {amqp091.ErrClosed, syscall.ECONNRESET, silent, false},
		"no such mechanism":      {amqp091.ErrSASL, nil, frank, true},
		"no such vhost":          {&amqp091.Error{Code: 530, Reason: "NOT_ALLOWED", Server: true}, nil, frank, true},
		"told so":                {&amqp091.Error{Code: 403, Reason: "ACCESS_REFUSED", Server: true}, nil, frank, true},
		"vhost, gone":            {amqp091.ErrVhost, io.EOF, frank, false},
		"shutting down":          {&amqp091.Error{Code: 320, Reason: "CONNECTION_FORCED", Server: true}, nil, frank, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := refusal(c.err, &wire{cause: c.socket}, c.said)
			if errors.Is(err, broker.ErrDenied) != c.denied {
				t.Errorf("got %v, denied must be %v", err, c.denied)
			}
			if nobody := strings.Contains(err.Error(), "before the broker said anything"); nobody != (c.said == nil) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Ensure a channel exception over a single message tells what is wrong with it, or that nobody knows.
func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		code, body int
		own        bool // to the message's own address
		want       error
		not        error
	}{
		{406, 100, false, broker.ErrRefused, broker.ErrTooLarge}, // a foreign user-id, say
		{406, largeBody + 1, false, broker.ErrTooLarge, nil},
		{311, 1, false, broker.ErrTooLarge, nil},
		{403, 1, false, broker.ErrDenied, broker.ErrRefused},
		{404, 1, false, broker.ErrNotFound, broker.ErrRefused},
		{405, 1, false, broker.ErrLost, broker.ErrRefused},
		{406, 100, true, broker.ErrRefused, broker.ErrTooLarge},
		{403, 1, true, broker.ErrRefused, broker.ErrDenied},
		{404, 1, true, broker.ErrUnroutable, broker.ErrNotFound},
	} {
		err := verdict(&amqp091.Error{Code: c.code, Reason: "why", Server: true}, c.body, c.own)
		if !errors.Is(err, c.want) || c.not != nil && errors.Is(err, c.not) || !strings.Contains(err.Error(), "why") {
			t.Errorf("%d, %d bytes: got %v, want %v", c.code, c.body, err, c.want)
		}
	}
}
