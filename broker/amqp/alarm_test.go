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
	source := must(b.OpenSource(within(t), at, broker.SourceOptions{Link: "link", Window: 2}))(t)
	sink := must(b.OpenSink(within(t), at, broker.SinkOptions{Link: "link"}))(t)
	idle := must(b.OpenSink(within(t), at, broker.SinkOptions{Link: "idle"}))(t)
	held, release := lock(t, b)

	cluster.MemoryAlarm(0, true)
	block(t, sink, make([]byte, 1<<20))
	if reason, _ := idle.(broker.Blocker).Blocked(); reason == "" {
		t.Error("the neighbour on the same connection is not blocked")
	}
	// A session on that connection would wait for the end of the alarm, and nobody would learn why.
	late := must(b.OpenSink(within(t), at, broker.SinkOptions{Link: "late"}))(t)
	block(t, late, nil)
	for range 10 {
		m := receive(t, source)
		check(t, source.Ack(m))
	}
	select {
	case <-held.Done():
		t.Errorf("the lock is lost: %v", context.Cause(held))
	case <-time.After(2 * lease):
	}
	for _, c := range []struct {
		name  string
		close func() error
	}{
		{"a blocked sink", sink.Close},
		{"another one", idle.Close},
		{"one that was opened meanwhile", late.Close},
		{"a source", source.Close},
		{"a lock", func() error { release(); return nil }},
		{"the broker", func() error { b.Close(); return nil }},
	} {
		begin := time.Now()
		closed := make(chan error, 1)
		go func() { closed <- c.close() }()
		check(t, await(t, "the end of "+c.name, closed))
		if took := time.Since(begin); took > 15*time.Second { // before heartbeats, which nobody answers, would end it
			t.Errorf("%s took %v to close", c.name, took)
		}
	}
}

// block sends until the broker says that it is blocked.
func block(t *testing.T, s broker.Sink, body []byte) {
	t.Helper()
	for sending := within(t); ; {
		_, err := s.Send(sending, &broker.Message{Body: body})
		if errors.Is(err, broker.ErrBlocked) {
			return
		}
		check(t, err)
	}
}
