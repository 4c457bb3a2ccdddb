package amqp_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/amqp"
	"weir/broker/brokertest"
	"weir/tests/lab"
)

// lease is the driver's.
const lease = 6 * time.Second

// Ensure a lock goes to the next in line at once when it is released, and after a lease when its owner is cut off; and
// that no two own it at a time.
func TestLockHandedOver(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		one, two := newBroker(t, config(v)), newBroker(t, config(v))

		first, release := lock(t, one)
		waiting := make(chan struct{})
		second := make(chan func(), 1)
		var held context.Context
		go func() {
			defer close(waiting)
			var release func()
			held, release = lock(t, two)
			if first.Err() == nil {
				t.Error("two own the lock")
			}
			second <- release
		}()
		select {
		case <-waiting:
			t.Fatal("two own the lock")
		case <-time.After(lease / 2): // as long as several pings
		}
		begin := time.Now()
		release()
		<-waiting
		if took := time.Since(begin); took > lease/2 {
			t.Errorf("handed over after %v", took)
		}
		check(t, held.Err())

		// The other way round, without a word: the owner's connections are cut.
		third := make(chan time.Time, 1)
		go func() {
			_, release := lock(t, one)
			third <- time.Now()
			release()
		}()
		begin = time.Now()
		v.CloseConnections() // of all: the one that waits has to try again
		<-held.Done()
		(<-second)()
		if took := (<-third).Sub(begin); took < lease/2 {
			t.Errorf("taken over after %v, while the last owner could believe that it was still his", took)
		}
	})
}

// Ensure an owner that hears nothing from the broker gives up after a lease, though its connection is open.
func TestLockSilence(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	proxy := brokertest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", v.Broker.Nodes[0].AMQP))
	conf := config(v)
	conf.URIs = []string{"amqp://" + proxy.Addr()}
	held, release := lock(t, newBroker(t, conf))
	proxy.Hold()
	begin := time.Now()
	<-held.Done()
	if took := time.Since(begin); took > 2*lease {
		t.Errorf("gave up after %v", took)
	}
	if cause := context.Cause(held); !errors.Is(cause, broker.ErrLost) {
		t.Errorf("the cause is %v", cause)
	}
	proxy.Release()
	release()
}

func lock(t *testing.T, b *amqp.Broker) (context.Context, func()) {
	for {
		held, release, err := b.Lock(t.Context(), "orders")
		if err == nil {
			return held, release
		}
		if t.Context().Err() != nil {
			t.Error(err)
			return t.Context(), func() {}
		}
	}
}
