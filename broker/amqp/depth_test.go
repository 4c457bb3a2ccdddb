package amqp_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/amqp"
	"weir/broker/brokertest"
	"weir/tests/lab"
)

// Ensure the consumers of other gateways and of the federation plugin are not counted, those of applications are.
func TestDepthCarriers(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		one, two := newBroker(t, config(v)), newBroker(t, config(v))
		at := broker.Address{Queue: "orders"}
		s := must(two.OpenSource(within(t), at, broker.SourceOptions{Link: "link", Window: 1}))(t)
		defer s.Close()
		for _, tag := range []string{"federation-link-us", "application"} {
			must(v.Channel().Consume("orders", tag, false, false, false, false, nil))(t)
		}
		eventually(t, "one consumer, of the application", func() bool {
			return must(one.Depth(within(t), at))(t).Consumers == broker.Counted(1) &&
				must(two.Depth(within(t), at))(t).Consumers == broker.Counted(1)
		})
		// Of another carrier the management API hears seconds later.
		more := must(newBroker(t, config(v)).OpenSource(within(t), at, broker.SourceOptions{Link: "more", Window: 1}))(t)
		defer more.Close()
		eventually(t, "the number of consumers is known again", func() bool {
			consumers := must(one.Depth(within(t), at))(t).Consumers
			if consumers.Known && consumers.N != 1 {
				t.Fatalf("%d consumers, want 1", consumers.N)
			}
			return consumers.Known
		})
	})
}

// Ensure that without the management API what cannot be known is unknown, above all an answer of 0 and 0, and what can be
// known is known.
func TestDepthWithoutManagement(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		ch := v.Channel()
		must(ch.QueueDeclare("orders", true, false, false, false, amqp091.Table{"x-queue-type": "quorum"}))(t)
		conf := config(v)
		conf.Management = amqp.Management{}
		b := newBroker(t, conf)
		at := broker.Address{Queue: "orders"}
		if d := must(b.Depth(within(t), at))(t); d.Ready.Known || d.Consumers.Known || d.Unacked.Known || d.OldestAtLeast.Known || d.OldestAtMost.Known {
			t.Errorf("0 and 0: %+v", d)
		}
		publish(t, ch, "orders", amqp091.Publishing{})
		eventually(t, "one message and no consumer", func() bool {
			d := must(b.Depth(within(t), at))(t)
			return d.Ready == broker.Counted(1) && d.Consumers == broker.Counted(0) && !d.Unacked.Known && !d.OldestAtMost.Known
		})
		if _, err := b.DeadLetters(within(t), at); err == nil {
			t.Error("dead letters are known without the management API")
		}
	})
}

// Ensure a management API that fails costs its own figures only.
func TestDepthManagementDown(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	conf := config(v)
	conf.Management.URIs = []string{"http://127.0.0.1:1"}
	must(v.Channel().QueueDeclare("orders", true, false, false, false, nil))(t)
	publish(t, v.Channel(), "orders", amqp091.Publishing{})
	d := must(newBroker(t, conf).Depth(within(t), broker.Address{Queue: "orders"}))(t)
	if d.Ready != broker.Counted(1) || d.Unacked.Known {
		t.Errorf("%+v", d)
	}
}

// Ensure a depth is read on a new connection at once when the old one is known to be lost.
func TestDepthAfterLoss(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	proxy := brokertest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", v.Broker.Nodes[0].AMQP))
	conf := config(v)
	conf.URIs = []string{"amqp://" + proxy.Addr()}
	b := newBroker(t, conf)
	at := broker.Address{Queue: "orders"}
	s := must(b.OpenSource(within(t), at, broker.SourceOptions{Link: "link", Window: 1}))(t)
	defer s.Close()
	must(b.Depth(within(t), at))(t) // on the connection of the source
	proxy.Cut()
	if _, err := s.Receive(within(t)); !errors.Is(err, broker.ErrLost) {
		t.Fatalf("got %v, want ErrLost", err)
	}
	must(b.Depth(within(t), at))(t)
}

// Ensure a policy's dead-letter exchange counts as well as an argument.
func TestDeadLettersByPolicy(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		must(v.Channel().QueueDeclare("orders", true, false, false, false, nil))(t)
		b := newBroker(t, config(v))
		at := broker.Address{Queue: "orders"}
		if keeps := must(b.DeadLetters(within(t), at))(t); keeps {
			t.Error("dead letters are kept, and there is nowhere")
		}
		v.Policy("dead", "^orders$", "queues", map[string]any{"dead-letter-exchange": "amq.fanout"})
		eventually(t, "dead letters are kept", func() bool { return must(b.DeadLetters(within(t), at))(t) })
	})
}

// Ensure a missing permission is found beforehand where the management API may be asked, and nothing is said where it may
// not.
func TestCheckPermission(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		must(v.Channel().QueueDeclare("orders", true, false, false, false, nil))(t)
		user, password := v.User("reader")
		v.Permit(user, "", "", "^orders$")
		conf := config(v)
		conf.Credentials = login(user, password)
		for name, c := range map[string]struct {
			management amqp.Credentials
			at         broker.Address
			as         broker.Role
			denied     bool
		}{
			"may read":                 {login(v.Broker.Username, v.Broker.Password), broker.Address{Queue: "orders"}, broker.AsSource, false},
			"may not write":            {login(v.Broker.Username, v.Broker.Password), broker.Address{Exchange: "amq.topic"}, broker.AsDestination, true},
			"may not declare":          {login(v.Broker.Username, v.Broker.Password), broker.Address{Queue: "new"}, broker.AsSource, true},
			"nobody who could tell it": {login(v.Username, v.Password), broker.Address{Queue: "orders"}, broker.AsDestination, false},
		} {
			t.Run(name, func(t *testing.T) {
				conf := conf
				conf.Management.Credentials = c.management
				err := newBroker(t, conf).Check(within(t), c.at, c.as, false)
				if errors.Is(err, broker.ErrDenied) != c.denied || err != nil && !c.denied {
					t.Errorf("got %v", err)
				}
			})
		}
	})
}

// Ensure what is wrong with a broker is told of the broker, where each message has its own address.
func TestCheckOriginalAddress(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	check(t, newBroker(t, config(v)).Check(within(t), broker.Address{}, broker.AsDestination, false))
	conf := config(v)
	conf.Credentials = login(v.Username, "wrong")
	err := newBroker(t, conf).Check(within(t), broker.Address{}, broker.AsDestination, false)
	if !errors.Is(err, broker.ErrDenied) || !strings.HasPrefix(err.Error(), "connect to amqp://") {
		t.Errorf("got %v", err)
	}
}
