package amqp

import (
	"fmt"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// confirm is a message in flight and the broker's answer to it.
type confirm struct {
	broker.Answer
	message       *broker.Message // nil once settled
	exchange, key string
	unroutable    error // the broker's words in its basic.return
}

// settle gives the answer and lets go of the message.
func (c *confirm) settle(err error) {
	c.message = nil
	c.Settle(err)
}

// inFlight holds what has been sent and not answered, oldest first. Delivery tags count from 1, so the first that has no
// answer yet is the one after those that had.
type inFlight struct {
	mu    sync.Mutex
	queue []*confirm
	first int    // of queue, not answered
	tag   uint64 // of queue[first-1]
	err   error  // why the session has ended
}

// add appends c. It fails when the session has ended.
func (f *inFlight) add(c *confirm) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	if f.first > len(f.queue)/2 { // as many places are free as are taken: move what is taken to the front
		n := copy(f.queue, f.queue[f.first:])
		clear(f.queue[n:])
		f.queue, f.first = f.queue[:n], 0
	}
	f.queue = append(f.queue, c)
	return nil
}

// confirm settles the oldest. It returns false if the answer is about another one.
func (f *inFlight) confirm(answer amqp091.Confirmation) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return true
	}
	if answer.DeliveryTag != f.tag+1 || f.first == len(f.queue) {
		return false
	}
	c := f.queue[f.first]
	f.queue[f.first] = nil
	f.first++
	f.tag++
	switch {
	case !answer.Ack:
		c.settle(fmt.Errorf("%w: basic.nack", broker.ErrRefused))
	default:
		c.settle(c.unroutable)
	}
	return true
}

// returned matches a basic.return to the oldest message that it can be about. It returns false if there is none.
func (f *inFlight) returned(r *amqp091.Return) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return true
	}
	c := match(f.queue[f.first:], r)
	if c == nil {
		return false
	}
	c.unroutable = fmt.Errorf("%w: %s (%d): exchange %q, routing key %q",
		broker.ErrUnroutable, r.ReplyText, r.ReplyCode, r.Exchange, r.RoutingKey)
	return true
}

// end settles everything with err; if there is only one, and only is given, with what it says. It returns false if the
// session had ended before.
func (f *inFlight) end(err error, only func(*confirm) error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return false
	}
	f.err = err
	left := f.queue[f.first:]
	if len(left) == 1 && only != nil {
		err = only(left[0])
	}
	for _, c := range left {
		c.settle(err)
	}
	f.queue, f.first = nil, 0
	return true
}

// ended is why the session has ended, or nil.
func (f *inFlight) ended() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// largeBody is a size that RabbitMQ takes unless somebody has set max_message_size very low (its default was 128 MiB and
// is 16 MiB).
const largeBody = 128 << 10

// verdict is what a channel exception says of the one message in flight. RabbitMQ has one code, 406, for a body over
// max_message_size and for properties that it does not accept (a foreign user-id, an expiration that is no number).
// Neither is ever accepted later; a large body is taken for the reason, because nothing else in the reply tells.
func verdict(reply *amqp091.Error, body int) error {
	switch reply.Code {
	case amqp091.ContentTooLarge:
		return fmt.Errorf("%w: %s", broker.ErrTooLarge, words(reply))
	case amqp091.PreconditionFailed:
		if body > largeBody {
			return fmt.Errorf("%w: %s", broker.ErrTooLarge, words(reply))
		}
		return fmt.Errorf("%w: %s", broker.ErrRefused, words(reply))
	case amqp091.AccessRefused, amqp091.NotFound:
		return classify(reply)
	default:
		return fmt.Errorf("%w: %s", broker.ErrLost, words(reply))
	}
}
