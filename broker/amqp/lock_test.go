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

		type owner struct {
			held    context.Context
			release func()
		}
		var next owner
		for try := 1; ; try++ {
			first, release := lock(t, one)
			second := make(chan owner, 1)
			go func() {
				held, release := lock(t, two)
				if first.Err() == nil {
					t.Error("two own the lock")
				}
				second <- owner{held, release}
			}()
			select {
			case <-second:
				t.Fatal("two own the lock")
			case <-time.After(lease / 2): // as long as several pings
			}
			begin := time.Now()
			release()
			next = await(t, "the next owner", second)
			took := time.Since(begin)
			if took < lease {
				break
			}
			if try == 5 { // a busy machine makes one of them late, and not all, as owners would that leave no word
				t.Errorf("handed over after %v", took)
				break
			}
			next.release()
		}
		check(t, next.held.Err())

		// The other way round, without a word: the owner's connections are cut.
		third := make(chan time.Time, 1)
		go func() {
			_, release := lock(t, one)
			third <- time.Now()
			release()
		}()
		begin := time.Now()
		v.CloseConnections() // of all: the one that waits has to try again
		await(t, "the end of what was cut off", next.held.Done())
		next.release()
		if took := await(t, "another owner", third).Sub(begin); took < lease/2 {
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
	await(t, "the end of the lock", held.Done())
	if took := time.Since(begin); took > 2*lease {
		t.Errorf("gave up after %v", took)
	}
	if cause := context.Cause(held); !errors.Is(cause, broker.ErrLost) {
		t.Errorf("the cause is %v", cause)
	}
	proxy.Release()
	release()
}

// lock waits for a lock, also where that takes more than one try.
func lock(t *testing.T, b *amqp.Broker) (context.Context, func()) {
	waiting := within(t)
	for {
		held, release, err := b.Lock(waiting, "orders")
		if err == nil {
			return held, release
		}
		if waiting.Err() != nil {
			t.Error(err)
			return waiting, func() {}
		}
	}
}
