package amqp_test

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/amqp"
	"weir/tests/lab"
)

// Ensure that under a memory alarm nothing hangs: publishers are told and can close, sources go on, and the owner of a lock
// keeps it.
func TestAlarm(t *testing.T) {
	t.Parallel()
	cluster := lab.StartCluster(t, lab.Spec{Version: "newest"})
	v := cluster.VHost(t)
	ch := v.Channel()
	must(ch.QueueDeclare("orders", true, false, false, false, nil))(t)
	for range 10 {
		publish(t, ch, "orders", amqp091.Publishing{})
	}
	b := amqp.New(config(v), quiet)
	at := broker.Address{Queue: "orders"}
	source := must(b.OpenSource(t.Context(), at, broker.SourceOptions{Link: "link", Window: 2}))(t)
	sink := must(b.OpenSink(t.Context(), at, broker.SinkOptions{Link: "link"}))(t)
	idle := must(b.OpenSink(t.Context(), at, broker.SinkOptions{Link: "idle"}))(t)
	held, release := lock(t, b)

	cluster.MemoryAlarm(0, true)
	block(t, sink, make([]byte, 1<<20))
	if reason, _ := idle.(broker.Blocker).Blocked(); reason == "" {
		t.Error("the neighbour on the same connection is not blocked")
	}
	// A session on that connection would wait for the end of the alarm, and nobody would learn why.
	opening, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	late := must(b.OpenSink(opening, at, broker.SinkOptions{Link: "late"}))(t)
	block(t, late, nil)
	for range 10 {
		m := must(source.Receive(t.Context()))(t)
		check(t, source.Ack(m))
	}
	select {
	case <-held.Done():
		t.Errorf("the lock is lost: %v", context.Cause(held))
	case <-time.After(2 * lease):
	}
	for _, c := range []struct {
		name  string
		close func()
	}{
		{"a blocked sink", func() { check(t, sink.Close()) }},
		{"another one", func() { check(t, idle.Close()) }},
		{"one that was opened meanwhile", func() { check(t, late.Close()) }},
		{"a source", func() { check(t, source.Close()) }},
		{"a lock", release},
		{"the broker", b.Close},
	} {
		begin := time.Now()
		c.close()
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s took %v to close", c.name, took)
		}
	}
}

// block sends until the broker says that it is blocked.
func block(t *testing.T, s broker.Sink, body []byte) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		_, err := s.Send(ctx, &broker.Message{Body: body})
		cancel()
		if errors.Is(err, broker.ErrBlocked) {
			return
		}
		check(t, err)
	}
}
