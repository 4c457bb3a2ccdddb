package gateway_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/internal/brokers"
	"weir/internal/gateway"
)

const checked = `
site: eu
local: eu
brokers:
  eu: {type: rabbitmq, uris: [amqp://eu]}
  us: {type: rabbitmq, uris: [amqp://us]}
  in: {type: embedded, data-dir: nowhere}
shovels:
  orders:
    source: {queue: orders, queue-args: {x-dead-letter-exchange: dead}}
    destinations: [{broker: us, exchange: orders}]
    on-refused: {then: reject}
    on-unroutable: {then: dead-letter, dead-letter: {exchange: unroutable}}
    overflow: {watch: {queue: backlog}, messages-ready: {start: 10, stop: 1}}
`

func TestConnect(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(eu, us *memory.Broker)
		reached bool
		want    []string
	}{
		"nothing is wrong": {
			func(_, _ *memory.Broker) {},
			true, nil,
		},
		"a silent broker": {
			func(_, us *memory.Broker) { us.Silent() },
			false, []string{"weir.yaml: brokers.us: unreachable: no answer within 10s; is it up, and do uris and tls fit?"},
		},
		"a secret that cannot be read": {
			func(_, us *memory.Broker) {
				us.Down(fmt.Errorf("credentials: %w /run/secrets/us: no such file or directory", configs.ErrSecret))
			},
			true, []string{"weir.yaml: brokers.us: credentials: read secret /run/secrets/us: no such file or directory; " +
				"weir must be able to read that file"},
		},
		"a queue without a dead-letter exchange": {
			func(eu, _ *memory.Broker) { eu.Declare("orders", memory.Queue{}) },
			true, []string{"weir.yaml: shovels.orders.source: queue=orders on broker eu has no dead-letter exchange, so then: reject would delete messages; " +
				"give the queue one by a policy, or write then: dead-letter"},
		},
		"a permission is missing everywhere": {
			func(eu, us *memory.Broker) { eu.Deny("backlog", "unroutable"); us.Deny("orders") },
			true, []string{
				"weir.yaml: shovels.orders.overflow.watch: queue=backlog: access denied; grant the permission to the user, or log in as another",
				"weir.yaml: shovels.orders.on-unroutable.dead-letter: exchange=unroutable: access denied; grant the permission to the user, or log in as another",
				"weir.yaml: shovels.orders.destinations[0]: exchange=orders: access denied; grant the permission to the user, or log in as another",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg, _, err := configs.Parse("weir.yaml", []byte(checked), os.LookupEnv)
				if err != nil {
					t.Fatal(err)
				}
				s := &site{t: t, eu: memory.New("eu"), us: memory.New("us")}
				s.eu.Declare("backlog", memory.Queue{})
				s.eu.DeclareExchange("unroutable", memory.Fanout)
				s.us.DeclareExchange("orders", memory.Fanout)
				c.prepare(s.eu, s.us)
				found, reached := gateway.Connect(t.Context(), "weir.yaml", cfg, s.open, slog.New(slog.DiscardHandler))
				if reached != c.reached {
					t.Errorf("reached: %v", reached)
				}
				var got []string
				for _, p := range found {
					got = append(got, p.String())
				}
				expectLines(t, got, c.want)
				if n := len(s.closedBrokers()); n != 2 {
					t.Errorf("%d brokers were closed, want those two that are elsewhere", n)
				}
			})
		})
	}
}

// deaf is a broker that lets everybody in and tells nobody what it has, as a RabbitMQ with a wrong password for management.
type deaf struct{ *memory.Broker }

func (deaf) Exchanges(context.Context) ([]broker.Exchange, error) {
	return nil, fmt.Errorf("list exchanges: %w: 401", broker.ErrDenied)
}

func TestConnectLooksWhetherFederationWouldSeeAnything(t *testing.T) {
	const local = "site: eu\nlocal: eu\nbrokers: {eu: {type: nats, uris: [nats://eu]}, us: {type: nats, uris: [nats://us]}}\nupstreams: {us: {broker: us}}\n"
	for name, c := range map[string]struct {
		config string
		want   []string
	}{
		"a downstream": {
			local + "policies: {all: {pattern: .*, definition: {federation-upstream: us}}}",
			[]string{"weir.yaml: brokers.eu: list exchanges: access denied: 401; grant the permission to the user, or let another ask"},
		},
		"nobody asks": {local, nil},
		"a management API": {
			"brokers: {eu: {type: rabbitmq, uris: [amqp://eu], management: {uris: [http://eu]}}, us: {type: rabbitmq, uris: [amqp://us]}}",
			[]string{"weir.yaml: brokers.eu: list exchanges: access denied: 401; grant the permission to the user, or let another ask"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _, err := configs.Parse("weir.yaml", []byte(c.config), os.LookupEnv)
			if err != nil {
				t.Fatal(err)
			}
			open := func(_ context.Context, d brokers.Declared, _ *slog.Logger) (broker.Broker, func(), error) {
				return deaf{memory.New(d.Name)}, func() {}, nil
			}
			found, reached := gateway.Connect(t.Context(), "weir.yaml", cfg, open, slog.New(slog.DiscardHandler))
			var got []string
			for _, p := range found {
				got = append(got, p.String())
			}
			expectLines(t, got, c.want)
			if !reached {
				t.Error("not reached")
			}
		})
	}
}
