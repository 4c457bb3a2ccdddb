package jetstream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/brokertest"
	"weir/broker/jetstream"
)

func TestContract(t *testing.T) {
	t.Parallel()
	keeps(t, startSystem(t, 1, withUsers), 1)
}

func TestContractOfACluster(t *testing.T) {
	t.Parallel()
	keeps(t, startSystem(t, 3, withUsers), 3)
}

// keeps asserts that the driver keeps the contract on a system.
func keeps(t *testing.T, s *system, replicas int) {
	brokertest.Run(t, harness(s, replicas))
	brokertest.Federation(t, federation(s, replicas))
}

// A link between two NATS systems changes nothing.
func TestTransport(t *testing.T) {
	h := harness(startSystem(t, 1, withUsers), 1)
	brokertest.Transport(t, h, h)
}

func withUsers(o *server.Options) {
	nothing := &server.Permissions{
		Publish:   &server.SubjectPermission{Deny: []string{">"}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
	}
	o.Users = []*server.User{
		{Username: "weir", Password: "secret"},
		{Username: "nobody", Password: "secret", Permissions: nothing},
	}
}

func harness(s *system, replicas int) brokertest.Harness {
	return brokertest.Harness{
		Start: func(t *testing.T) *brokertest.Rig { return rig(t, s, replicas) },
		// In a cluster it takes a moment until every node knows that nobody waits for a request any more. What a busy node
		// gives to it in that moment comes again after the ack wait, 30 s at least.
		Timeout: patience,
		Cannot: map[string]string{
			brokertest.Blocked:      "a server of NATS refuses what it has no room for, and asks nobody to wait",
			brokertest.ForeignWords: "an address in RabbitMQ's words has a meaning on JetStream",
			brokertest.Rejected:     "JetStream has no dead-letter exchanges",
			brokertest.DeadLetters:  "JetStream has no dead-letter exchanges",
		},
	}
}

func federation(s *system, replicas int) brokertest.Harness {
	h := harness(s, replicas)
	h.Cannot = map[string]string{
		brokertest.ListsExchanges:  "a stream has no arguments of RabbitMQ's",
		brokertest.HeadersExchange: "JetStream does not filter by headers",
		brokertest.FirstHop:        "JetStream does not filter by headers",
		brokertest.MakeBeforeBreak: "a filter that goes takes along what waits for it alone",
		brokertest.ForeignBindings: "a consumer's filters have no arguments, and lead to no exchange",
	}
	return h
}

func rig(t *testing.T, s *system, replicas int) *brokertest.Rig {
	js := s.native(t, nats.UserInfo("weir", "secret"))
	var proxies []*brokertest.Proxy
	c := jetstream.Config{SubjectPrefix: fresh("contract"), Streams: jetstream.Streams{Replicas: replicas}, Credentials: user("weir", "secret"), ConfirmTimeout: 15 * time.Second}
	for _, u := range s.urls() {
		p := brokertest.NewProxy(t, strings.TrimPrefix(u, "nats://"))
		proxies = append(proxies, p)
		c.URIs = append(c.URIs, "nats://"+p.Addr())
	}
	b := open(t, c)
	all := func(do func(*brokertest.Proxy)) func() {
		return func() {
			for _, p := range proxies {
				do(p)
			}
		}
	}
	direct := func(credentials func() (string, string, error)) broker.Broker {
		c := c
		c.URIs, c.Credentials = s.urls(), credentials
		return open(t, c)
	}
	silent := brokertest.NewProxy(t, strings.TrimPrefix(s.urls()[0], "nats://"))
	silent.Hold()
	unheard := c
	unheard.URIs = []string{"nats://" + silent.Addr()}
	return &brokertest.Rig{
		Broker: b,
		Queue: func(o brokertest.QueueOptions) brokertest.Queue {
			name := fresh("queue")
			at := broker.Address{Queue: name}
			var args broker.Table
			if o.Full {
				args = broker.Table{"x-max-length": int32(1)}
			}
			sink, err := b.OpenSink(within(t), at, broker.SinkOptions{DeclareArgs: args})
			if err != nil {
				t.Fatal(err)
			}
			if o.Full {
				confirm, err := sink.Send(within(t), &broker.Message{Body: []byte("full")})
				if err != nil {
					t.Fatal(err)
				}
				await(t, "answer", confirm.Done())
			}
			sink.Close()
			return brokertest.Queue{Source: at, Sink: at, Route: brokertest.Route{RoutingKey: name}}
		},
		Exchange: func() string { return exchange(t, b) },
		Missing:  func() broker.Address { return broker.Address{Queue: fresh("missing")} },
		Durable: func(at broker.Address) bool {
			name := c.SubjectPrefix + "_q_" + at.Queue
			if at.Exchange != "" {
				name = c.SubjectPrefix + "_x_" + escape(at.Exchange)
			}
			var stream natsjs.Stream
			var consumer natsjs.Consumer
			asked(t, func(ctx context.Context) (err error) {
				if stream, err = js.Stream(ctx, name); err == nil {
					consumer, err = stream.Consumer(ctx, escape(at.Queue))
				}
				return err
			})
			return stream.CachedInfo().Config.Storage == natsjs.FileStorage && consumer.CachedInfo().Config.Durable != ""
		},
		Nowhere: brokertest.Route{Exchange: exchange(t, b), RoutingKey: "nobody.wants.it"}, TooLarge: maxPayload + 1, UserID: "anybody",
		Knows: brokertest.Known{Ready: true, Unacked: true, Consumers: true, Oldest: true},
		Consume: func(q brokertest.Queue) func() {
			var consumer natsjs.Consumer
			asked(t, func(ctx context.Context) (err error) {
				consumer, err = js.Consumer(ctx, c.SubjectPrefix+"_q_"+q.Source.Queue, q.Source.Queue)
				return err
			})
			consuming, err := consumer.Consume(func(m natsjs.Msg) { _ = m.Ack() })
			if err != nil {
				t.Fatal(err)
			}
			return func() { consuming.Stop(); await(t, "end of consuming", consuming.Closed()) }
		},
		Bind: func(exchange string, as broker.Binding) (broker.Binding, func()) {
			stream, consumer := c.SubjectPrefix+"_x_"+exchange, fresh("bound")
			createConsumer(t, js, stream, natsjs.ConsumerConfig{Durable: consumer, FilterSubject: c.SubjectPrefix + ".x." + exchange + "." + as.Key})
			return broker.Binding{Destination: consumer, Key: as.Key}, func() {
				asked(t, func(ctx context.Context) error {
					err := js.DeleteConsumer(ctx, stream, consumer)
					if errors.Is(err, natsjs.ErrConsumerNotFound) {
						return nil
					}
					return err
				})
			}
		},
		Cut:  all((*brokertest.Proxy).Cut),
		Hold: all((*brokertest.Proxy).Hold), Release: all((*brokertest.Proxy).Release),
		WrongPassword: direct(user("weir", "wrong")),
		Forbidden:     direct(user("nobody", "secret")),
		Silent:        open(t, unheard),
	}
}

// escape makes a token of a name that the suite makes up.
func escape(name string) string { return strings.NewReplacer(" ", "%20", "/", "%2F").Replace(name) }

// exchange declares one that nothing is bound to.
func exchange(t *testing.T, b *jetstream.Broker) string {
	t.Helper()
	name := fresh("exchange")
	sink, err := b.OpenSink(within(t), broker.Address{Exchange: name}, broker.SinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sink.Close()
	return name
}

func user(name, password string) func() (string, string, error) {
	return func() (string, string, error) { return name, password, nil }
}
