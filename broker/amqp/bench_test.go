package amqp_test

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/amqp"
	"weir/tests/lab"
)

// BenchmarkForward moves messages of 1 KiB from one queue to another, as a link does: one goroutine receives and sends,
// another waits for confirms and acks. µs/message is the CPU time of this process, which is what a gateway costs.
func BenchmarkForward(b *testing.B) {
	for _, kind := range []string{"classic", "quorum"} {
		b.Run(kind, func(b *testing.B) {
			v := lab.RabbitMQ(b, "newest").VHost(b)
			ch := v.Channel()
			for _, q := range []string{"from", "to"} {
				must(ch.QueueDeclare(q, true, false, false, false, amqp091.Table{"x-queue-type": kind}))(b)
			}
			fill(b, v, "from", b.N)
			driver := amqp.New(config(v), quiet)
			b.Cleanup(driver.Close)
			source := must(driver.OpenSource(b.Context(), broker.Address{Queue: "from"}, broker.SourceOptions{Link: "bench", Window: 1000, Predeclared: true}))(b)
			sink := must(driver.OpenSink(b.Context(), broker.Address{Queue: "to"}, broker.SinkOptions{Link: "bench", Predeclared: true}))(b)

			used := cpu(b)
			b.ResetTimer()
			forward(b, source, sink, b.N)
			b.StopTimer()
			used = cpu(b) - used
			b.ReportMetric(float64(used.Microseconds())/float64(b.N), "µs/message")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			check(b, source.Close())
			check(b, sink.Close())
		})
	}
}

// forward is the heart of a link's pump.
func forward(b *testing.B, source broker.Source, sink broker.Sink, n int) {
	type pair struct {
		m *broker.Message
		c broker.Confirm
	}
	queue := make(chan pair, 1000)
	failed := make(chan error, 1)
	go func() {
		defer close(queue)
		for range n {
			m, err := source.Receive(b.Context())
			if err == nil {
				m.Headers = m.Headers.With("x-weir", "benchmark")
				var c broker.Confirm
				if c, err = sink.Send(b.Context(), m); err == nil {
					queue <- pair{m, c}
				}
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	var last *broker.Message
	ack := func() { // before it would block
		if last != nil {
			check(b, source.Ack(last))
			last = nil
		}
	}
	for {
		var p pair
		var ok bool
		select {
		case p, ok = <-queue:
		default:
			ack()
			p, ok = <-queue
		}
		if !ok {
			break
		}
		if errors.Is(p.c.Err(), broker.ErrPending) {
			ack()
			<-p.c.Done()
		}
		check(b, p.c.Err())
		last = p.m
	}
	ack()
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
}

// fill stores n messages of 1 KiB with a few headers.
func fill(b *testing.B, v *lab.VHost, queue string, n int) {
	ch := v.Channel()
	check(b, ch.Confirm(false))
	body := bytes.Repeat([]byte("0123456789abcdef"), 64)
	var last *amqp091.DeferredConfirmation
	for i := range n {
		c := must(ch.PublishWithDeferredConfirm("", queue, true, false, amqp091.Publishing{
			DeliveryMode: amqp091.Persistent, ContentType: "application/json", MessageId: fmt.Sprint(i), Body: body,
			Headers: amqp091.Table{"tenant": "shop", "attempt": int32(1), "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"},
		}))(b)
		if i%500 == 0 || i == n-1 { // so many in flight at most
			if last != nil {
				last.Wait()
			}
			last = c
		}
	}
	if !last.Wait() {
		b.Fatal("not stored")
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
