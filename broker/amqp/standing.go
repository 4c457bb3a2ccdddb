package amqp

import (
	"context"
	"fmt"
)

// Standby implements broker.Standing. The management API learns of a consumer some seconds after it has begun; until then
// nobody says that it waits.
func (s *source) Standby(ctx context.Context) (bool, error) {
	m, err := s.broker.api()
	if err != nil {
		return false, fmt.Errorf("consumers of queue %q: %w", s.queue, err)
	}
	q, err := m.queue(ctx, s.broker.config.VHost, s.queue)
	if err != nil {
		return false, fmt.Errorf("consumers of queue %q: %w", s.queue, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, consumer := range q.Details {
		if consumer.Tag == s.tag {
			return consumer.Status == waiting, nil
		}
	}
	return false, nil
}

// waiting is how RabbitMQ calls a consumer behind the single active one.
const waiting = "waiting"
