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
	answer        *amqp091.DeferredConfirmation // nil until it has been written
	unroutable    error                         // the broker's words in its basic.return
}

// settle gives the answer and lets go of the message.
func (c *confirm) settle(err error) {
	c.message = nil
	c.Settle(err)
}

// inFlight holds what has been sent and not settled, oldest first. Settling goes in that order.
//
// (amqp091-go's NotifyPublish would tell in order, too. But it turns a nack into an ack when later messages are acked
// with multiple before earlier ones have been answered.)
type inFlight struct {
	over   chan struct{} // closed when the session ends
	broker *Broker

	mu    sync.Mutex
	queue []*confirm
	first int   // of queue, not settled
	err   error // why the session has ended
}

// add appends c. It fails when the session has ended.
func (f *inFlight) add(c *confirm) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	if f.first > len(f.queue)/2 { // more places are free than taken: move what is taken to the front
		n := copy(f.queue, f.queue[f.first:])
		clear(f.queue[n:])
		f.queue, f.first = f.queue[:n], 0
	}
	f.queue = append(f.queue, c)
	return nil
}

// written says where the answer to c will be. It returns true if c is the oldest, whose answer is waited for.
func (f *inFlight) written(c *confirm, answer *amqp091.DeferredConfirmation) (oldest bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.answer = answer
	return f.first < len(f.queue) && f.queue[f.first] == c
}

// next is closed when the oldest has been answered; nil while nothing has been written.
func (f *inFlight) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == len(f.queue) || f.queue[f.first].answer == nil {
		return nil
	}
	return f.queue[f.first].answer.Done()
}

// answered tells whether the oldest has been answered.
func (f *inFlight) answered() bool {
	select {
	case <-f.next():
		return true
	default:
		return false
	}
}

// settle settles the oldest, which has been answered. If it was returned, that has been noted.
func (f *inFlight) settle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return
	}
	c := f.queue[f.first]
	f.queue[f.first] = nil
	f.first++
	if c.answer.Acked() {
		c.settle(c.unroutable)
	} else {
		c.settle(passing{fmt.Errorf("%w: basic.nack", broker.ErrRefused), f.broker})
	}
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
	c.unroutable = passing{fmt.Errorf("%w: %s (%d): exchange %q, routing key %q",
		broker.ErrUnroutable, r.ReplyText, r.ReplyCode, r.Exchange, r.RoutingKey), f.broker}
	return true
}

// abandon ends the session with everything in flight unknown.
func (f *inFlight) abandon(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.close(err) {
		c.settle(err)
	}
}

// end ends the session after the broker's last word: every return has been noted. What was not confirmed is settled with
// err; if that is a single one, and only is given, with what it says.
func (f *inFlight) end(err error, only func(*confirm) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var unknown []*confirm
	for _, c := range f.close(err) {
		if c.answer != nil && c.answer.Acked() {
			c.settle(c.unroutable)
		} else {
			unknown = append(unknown, c)
		}
	}
	if len(unknown) == 1 && only != nil {
		err = only(unknown[0])
	}
	for _, c := range unknown {
		c.settle(err)
	}
}

// close ends the session, unless it has ended before, and takes what is in flight. The caller holds mu.
func (f *inFlight) close(err error) (left []*confirm) {
	if f.err == nil {
		f.err = err
		close(f.over)
	}
	left = f.queue[f.first:]
	f.queue, f.first = nil, 0
	return left
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
// Neither is ever accepted later; a large body is taken for the reason, because nothing else in the reply tells. own: the
// message went to its own address, so that an exchange which is not there, or is not for us, concerns it alone.
func verdict(reply *amqp091.Error, body int, own bool) error {
	switch {
	case own && reply.Code == amqp091.NotFound:
		return fmt.Errorf("%w: %s", broker.ErrUnroutable, words(reply))
	case own && reply.Code == amqp091.AccessRefused:
		return fmt.Errorf("%w: %s", broker.ErrRefused, words(reply))
	}
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
