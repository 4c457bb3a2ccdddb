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

// openOffsets declares the queue if it is missing.
func (b *Broker) openOffsets(ctx context.Context, o broker.SourceOptions) (*offsets, error) {
	queue := ownName("offset", o.Site, o.Link)
	conn, err := b.pool.acquire(ctx, order{role: publishing, link: o.Link, alone: o.Alone})
	if err != nil {
		return nil, err
	}
	ch, err := ensureQueue(conn, queue, false, broker.Table{
		amqp091.QueueTypeArg:     amqp091.QueueTypeQuorum,
		amqp091.QueueMaxLenArg:   int32(1),
		amqp091.QueueOverflowArg: amqp091.QueueOverflowDropHead,
	})
	if err != nil {
		b.pool.release(conn)
		return nil, fmt.Errorf("queue %q for the offset: %w", queue, err)
	}
	s := &offsets{pool: b.pool, conn: conn, ch: ch, queue: queue}
	if err := ch.Confirm(false); err != nil {
		_ = s.close()
		return nil, conn.explain(err)
	}
	return s, nil
}

// read returns the offset that was written last; known is false before the first. It is written anew, not given back:
// RabbitMQ drops what has come back to a quorum queue too often.
func (s *offsets) read(ctx context.Context) (offset int64, known bool, err error) {
	d, ok, err := s.ch.Get(s.queue, false)
	if err != nil {
		return 0, false, s.conn.explain(err)
	}
	if !ok {
		return 0, false, nil
	}
	offset, err = strconv.ParseInt(string(d.Body), 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("queue %q holds %.20q, which is no offset; purge it", s.queue, d.Body)
	}
	if err := s.write(ctx, offset); err != nil {
		return 0, false, err
	}
	if err := s.ch.Ack(d.DeliveryTag, false); err != nil {
		return 0, false, s.conn.explain(err)
	}
	return offset, true, nil
}

// write returns when the offset is safe.
func (s *offsets) write(ctx context.Context, offset int64) error {
	confirm, err := s.ch.PublishWithDeferredConfirm("", s.queue, false, false, amqp091.Publishing{
		DeliveryMode: amqp091.Persistent,
		ContentType:  amqp091.MimeTextPlain,
		Body:         strconv.AppendInt(nil, offset, 10),
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
