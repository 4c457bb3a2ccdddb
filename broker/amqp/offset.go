package amqp

import (
	"context"
	"fmt"
	"strconv"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// offsets keeps how far a link has read a stream: one message in the durable queue "weir: offset <site>/<link>", a new
// one pushing out the old. RabbitMQ keeps offsets for clients of its stream protocol only.
//
// It publishes, so it lives on a publishing connection: an alarm must not stop the acks of the source.
type offsets struct {
	pool  *pool
	conn  *connection
	ch    *amqp091.Channel
	queue string
}

// beginning is written in place of an offset when the queue is made, so that a queue that is empty is never taken for one
// of a link that has not begun.
const beginning = "beginning"

// openOffsets declares the queue if it is missing.
func (b *Broker) openOffsets(ctx context.Context, o broker.SourceOptions) (*offsets, error) {
	queue := ownName("offset", o.Site, o.Link)
	conn, err := b.pool.acquire(ctx, order{role: publishing, link: o.Link, alone: o.Alone})
	if err != nil {
		return nil, err
	}
	s := &offsets{pool: b.pool, conn: conn, queue: queue}
	if err := s.open(ctx); err != nil {
		if s.ch == nil {
			b.pool.release(conn)
		} else {
			_ = s.close()
		}
		return nil, fmt.Errorf("queue %q for the offset: %w", queue, err)
	}
	return s, nil
}

func (s *offsets) open(ctx context.Context) (err error) {
	if s.ch, _, err = findQueue(s.conn, s.queue); err == nil {
		return s.confirm()
	}
	if code(err) != amqp091.NotFound {
		return s.conn.explain(err)
	}
	s.ch, err = declareQueue(s.conn, s.queue, broker.Table{
		amqp091.QueueTypeArg:     amqp091.QueueTypeQuorum,
		amqp091.QueueMaxLenArg:   int32(1),
		amqp091.QueueOverflowArg: amqp091.QueueOverflowDropHead,
	})
	if err != nil {
		return err
	}
	if err := s.confirm(); err != nil {
		return err
	}
	return s.store(ctx, beginning)
}

func (s *offsets) confirm() error {
	if err := s.ch.Confirm(false); err != nil {
		return s.conn.explain(err)
	}
	return nil
}

// read returns the offset that was written last; known is false before the first. It is written anew, not given back:
// RabbitMQ drops what has come back to a quorum queue too often.
func (s *offsets) read(ctx context.Context) (offset int64, known bool, err error) {
	d, ok, err := s.ch.Get(s.queue, false)
	if err != nil {
		return 0, false, s.conn.explain(err)
	}
	if !ok { // to begin anew would skip messages, or send all of them again
		return 0, false, fmt.Errorf("queue %q is empty: another session is reading the offset in it; if there is none, delete the queue to begin anew", s.queue)
	}
	if string(d.Body) != beginning {
		known = true
		if offset, err = strconv.ParseInt(string(d.Body), 10, 64); err != nil {
			return 0, false, fmt.Errorf("queue %q holds %.20q, which is no offset; delete it to begin anew", s.queue, d.Body)
		}
	}
	if err := s.store(ctx, string(d.Body)); err != nil {
		return 0, false, err
	}
	if err := s.ch.Ack(d.DeliveryTag, false); err != nil {
		return 0, false, s.conn.explain(err)
	}
	return offset, known, nil
}

// write returns when the offset is safe.
func (s *offsets) write(ctx context.Context, offset int64) error {
	return s.store(ctx, strconv.FormatInt(offset, 10))
}

func (s *offsets) store(ctx context.Context, body string) error {
	confirm, err := s.ch.PublishWithDeferredConfirm("", s.queue, false, false, amqp091.Publishing{
		DeliveryMode: amqp091.Persistent,
		ContentType:  amqp091.MimeTextPlain,
		Body:         []byte(body),
	})
	if err != nil {
		return s.conn.explain(err)
	}
	ok, err := confirm.WaitContext(ctx)
	if err == nil && !ok {
		err = lost(nil, s.conn.wire)
	}
	if err != nil {
		return fmt.Errorf("store the offset in queue %q: %w", s.queue, err)
	}
	return nil
}

func (s *offsets) close() error { return s.pool.vacate(s.conn, s.ch) }
