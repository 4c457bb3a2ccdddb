package memory_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/broker"
	"weir/broker/brokertest"
	"weir/broker/memory"
)

func TestContract(t *testing.T) {
	brokertest.Run(t, harness())
}

func TestFederation(t *testing.T) {
	brokertest.Federation(t, harness())
}

// A link between two brokers in memory changes nothing.
func TestTransport(t *testing.T) {
	brokertest.Transport(t, harness(), harness())
}

func harness() brokertest.Harness {
	return brokertest.Harness{Start: start, Wrap: synctest.Test, Quiet: time.Second}
}

func start(t *testing.T) *brokertest.Rig {
	b := memory.New("eu")
	wrong, forbidden, silent := memory.New("eu"), memory.New("eu"), memory.New("eu")
	wrong.Down(fmt.Errorf("log in: %w", broker.ErrDenied))
	forbidden.Deny("q1", "q2")
	silent.Silent()
	b.MaxSize(16 << 20)
	named := 0
	name := func() string { named++; return fmt.Sprint("q", named) }
	at := func(name string) brokertest.Queue {
		a := broker.Address{Queue: name}
		return brokertest.Queue{Source: a, Sink: a, Route: brokertest.Route{RoutingKey: name}}
	}
	return &brokertest.Rig{
		Broker: b,
		Queue: func(o brokertest.QueueOptions) brokertest.Queue {
			q, as := at(name()), memory.Queue{}
			if o.DeadLetter {
				dead := at(name())
				b.Declare(dead.Source.Queue, memory.Queue{})
				q.DeadLetters, as.DeadLetter = &dead, dead.Source.Queue
			}
			if o.Full {
				as.MaxLength = 1
			}
			b.Declare(q.Source.Queue, as)
			if o.Full {
				b.Put(q.Source.Queue, "full")
			}
			return q
		},
		Publish: func(q brokertest.Queue, ms ...*broker.Message) {
			for _, m := range ms {
				c := *m
				c.Exchange, c.RoutingKey = "", q.Source.Queue
				if err := b.Publish(&c); err != nil {
					t.Fatal(err)
				}
			}
		},
		Take: func(q brokertest.Queue, n int) []*broker.Message { return b.Take(q.Source.Queue, n) },
		Exchange: func() string {
			x := name()
			b.DeclareExchange(x, memory.Topic)
			return x
		},
		Bind: func(exchange string, as broker.Binding) (broker.Binding, func()) {
			as.Destination = name()
			if as.ToExchange {
				b.DeclareExchange(as.Destination, memory.Topic)
			} else {
				b.Declare(as.Destination, memory.Queue{})
			}
			b.AddBinding(exchange, as)
			return as, func() { b.RemoveBinding(exchange, as) }
		},
		Durable: func(at broker.Address) bool { return slices.Contains(b.QueueNames(), at.Queue) },
		Consume: func(q brokertest.Queue) func() {
			b.Consumers(q.Source.Queue, 1)
			return func() { b.Consumers(q.Source.Queue, 0) }
		},
		Missing: func() broker.Address { return broker.Address{Queue: name()} },
		Nowhere: brokertest.Route{RoutingKey: "nobody"}, TooLarge: 16<<20 + 1, UserID: "guest",
		Cut: b.Cut, Hold: b.HoldConfirms, Release: b.ReleaseConfirms,
		Block: func() { b.Block("low on memory") }, Unblock: b.Unblock,
		Knows:         brokertest.Known{Ready: true, Unacked: true, Consumers: true, Oldest: true},
		WrongPassword: wrong, Forbidden: forbidden, Silent: silent,
	}
}
