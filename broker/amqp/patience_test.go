package amqp_test

import (
	"context"
	"testing"
	"time"

	"weir/broker"
)

// patience is for what must happen, on a machine that has more to do than it can.
const patience = 2 * time.Minute

// within is a context for something that must happen.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// await waits for a value, or for the end of what c tells.
func await[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("not within %v: %s", patience, what)
		panic("unreachable")
	}
}

// answer waits for what a broker says to a message.
func answer(t testing.TB, c broker.Confirm) error {
	t.Helper()
	await(t, "an answer to a message", c.Done())
	return c.Err()
}

// receive waits for a message.
func receive(t testing.TB, s broker.Source) *broker.Message {
	t.Helper()
	return must(s.Receive(within(t)))(t)
}
