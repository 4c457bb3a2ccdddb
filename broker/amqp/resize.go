package amqp

import (
	"context"
	"errors"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// resizable is the source of a queue; a stream cannot be consumed from again in the middle.
type resizable struct{ *source }

// follower is a consumer whose deliveries come after those of the one before.
type follower struct {
	tag        string
	deliveries <-chan amqp091.Delivery
	window     int
}

// Resize implements broker.Resizer: the consumer is cancelled and another one, with the new window, follows it on the
// same channel. Until what the old one delivered is settled, it comes on top of the new window.
func (s *resizable) Resize(ctx context.Context, window int) error {
	_, err := await(ctx, s.broker.pool, func() (struct{}, error) {
		s.calling.Lock()
		defer s.calling.Unlock()
		return struct{}{}, s.resize(window)
	}, nil)
	return err
}

func (s *resizable) resize(window int) error {
	ended := make(chan struct{})
	s.mu.Lock()
	if s.stopped || s.tag == "" {
		s.mu.Unlock()
		return errors.New("the source has been stopped")
	}
	s.resizing = ended
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.resizing = nil
		s.mu.Unlock()
		close(ended)
	}()
	if err := errors.Join(s.cancel(), s.quiet.end(s.settle)); err != nil {
		return err
	}
	next, err := s.consume(window)
	if err != nil {
		_ = s.ch.Close() // Receive must not wait for a consumer that never comes
		return err
	}
	s.mu.Lock()
	s.tag = next.tag
	s.next = append(s.next, next)
	s.mu.Unlock()
	return nil
}
