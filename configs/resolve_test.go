package configs_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"weir/configs"
)

// good loads a configuration of testdata/good, which has no mistakes.
func good(t *testing.T, name string) *configs.Config {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/good", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := configs.Parse("folder/weir.yaml", data, environment)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is %+v, want %+v", what, got, want)
	}
}

// The configuration of the design reads as the design says, without a warning, and all that it leaves out is filled in.
func TestOverflowShovelIsComplete(t *testing.T) {
	cfg := good(t, "three-regions")
	orders := cfg.Shovels["orders-overflow"]
	key := "order.created"
	same(t, "shovel", orders, configs.Shovel{
		Name:   "orders-overflow",
		Source: configs.Source{Broker: "eu", Queue: "orders"},
		Destinations: []configs.Destination{{
			Broker: "us", Exchange: "orders", RoutingKey: &key, AddForwardHeaders: true,
			Room: &configs.Room{
				Watch:         configs.Watch{Broker: "us", Queue: "orders"},
				MessagesReady: configs.RoomThreshold{Stop: 50000, Resume: 40000},
				For:           5 * time.Second,
			},
		}, {
			Broker: "ap", Subject: "orders.eu.created", AddForwardHeaders: true,
		}},
		Overflow: &configs.Overflow{
			Watch:          configs.Watch{Broker: "eu", Queue: "orders"},
			MessagesReady:  &configs.CountThreshold{Start: 10000, Stop: 2000},
			OldestMessage:  &configs.AgeThreshold{Start: 30 * time.Second, Stop: 5 * time.Second},
			ConsumersBelow: &configs.CountThreshold{Start: 1, Stop: 1},
			For:            5 * time.Second,
			Match:          configs.MatchAny,
		},
		AckMode:           configs.OnConfirm,
		OnRefused:         configs.Fallback{Attempts: 10, Then: configs.ThenPause},
		OnUnroutable:      configs.Fallback{Attempts: 10, Then: configs.ThenPause},
		MaxHops:           1,
		RateLimit:         2000,
		AddForwardHeaders: true,
		LinkSettings: configs.LinkSettings{
			ReconnectDelay: configs.Delay{Min: 500 * time.Millisecond, Max: 30 * time.Second},
			ConfirmTimeout: 30 * time.Second,
			DrainTimeout:   20 * time.Second,
			HoldLimit:      10 * time.Minute,
			MemoryLimit:    64 << 20,
		},
	})
}

// Who does not say otherwise has what defaults says, key by key.
func TestLinkSettingsAreInherited(t *testing.T) {
	cfg := good(t, "words-and-anchors")
	steady := configs.LinkSettings{
		ReconnectDelay: configs.Delay{Min: 3 * time.Second, Max: 3 * time.Second},
		ConfirmTimeout: 30 * time.Second, HoldLimit: 5 * time.Minute, MemoryLimit: 64 << 20,
	}
	same(t, "plain shovel", cfg.Shovels["plain"].LinkSettings, steady)

	own := steady
	own.ReconnectDelay = configs.Delay{Min: 250 * time.Millisecond, Max: 250 * time.Millisecond}
	same(t, "shovel with its own delay", cfg.Shovels["overflow"].LinkSettings, own)

	upstream := steady
	upstream.ReconnectDelay.Max = time.Minute
	same(t, "upstream with its own maximum", cfg.Upstreams["us"].LinkSettings, upstream)

	member := upstream
	member.ConfirmTimeout = 9 * time.Second
	same(t, "member of a set", cfg.UpstreamSets["both"][1].LinkSettings, member)
}

func TestShovelsTakeFromAround(t *testing.T) {
	cfg := good(t, "words-and-anchors")
	plain, overflow := cfg.Shovels["plain"], cfg.Shovels["overflow"]
	fromExchange := cfg.Shovels["from-exchange"]

	same(t, "source broker", plain.Source.Broker, "EU.West")
	same(t, "hops of a plain shovel", plain.MaxHops, 0)
	same(t, "delete-after in source", plain.DeleteAfter, configs.DeleteAfter(100))
	same(t, "empty routing key", *plain.Destinations[0].RoutingKey, "")
	same(t, "routing key that is kept", plain.Destinations[1].RoutingKey, (*string)(nil))
	same(t, "forward headers of the shovel", plain.Destinations[0].AddForwardHeaders, true)
	same(t, "forward headers of its own", plain.Destinations[1].AddForwardHeaders, false)

	same(t, "hops of an overflow shovel", overflow.MaxHops, 1)
	same(t, "hops that were given", fromExchange.MaxHops, 3)
	same(t, "prefetch from a variable", overflow.Source.PrefetchCount, 64)
	same(t, "watched queue", overflow.Overflow.Watch, configs.Watch{Broker: "EU.West", Queue: "orders"})
	same(t, "watched queue of an exchange", fromExchange.Overflow.Watch, configs.Watch{Broker: "ap"})
	same(t, "queue with room", overflow.Destinations[0].Room.Watch, configs.Watch{Broker: "ap", Queue: "orders"})
	same(t, "dead letters", *overflow.OnRefused.DeadLetter, configs.DeadLetter{Broker: "EU.West", Exchange: "lost"})
}

// Arguments reach the broker with the types that the file gives them.
func TestArgumentsKeepTheirTypes(t *testing.T) {
	same(t, "consumer-args", good(t, "words-and-anchors").Shovels["plain"].Source.ConsumerArgs, map[string]any{
		"x-priority": int64(-1), "x-text": "5", "x-float": 0.5, "x-flag": true, "x-none": nil,
		"x-list": []any{int64(1), "a"}, "x-table": map[string]any{"deep": int64(2)},
		"x-when": time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC),
	})
}

func TestBrokersAreComplete(t *testing.T) {
	cfg := good(t, "words-and-anchors")
	same(t, "merged broker", cfg.Brokers["us"], configs.Broker{
		Name: "us", Type: configs.RabbitMQ, URIs: []string{"amqps://us.example:5671"}, VHost: "orders",
		Username: "gw", Password: configs.NewSecret("hunter2"), AuthMechanism: configs.Plain, Heartbeat: 20 * time.Second,
		Management: &configs.Management{
			URIs: []string{"https://rmq.example/api-prefix"}, Username: "gw", Password: configs.NewSecret("hunter2"),
		},
	})
	same(t, "broker without a login", cfg.Brokers["quick"].Username+" "+cfg.Brokers["quick"].Password.Reveal(), "guest guest")
	same(t, "named cluster", cfg.Brokers["ap"].ClusterName, "asia")
	same(t, "unnamed cluster", cfg.Brokers["nearby"].ClusterName, "nearby")
	same(t, "replicas of one node", cfg.Brokers["nearby"].Streams.Replicas, 1)
	same(t, "embedded broker", cfg.Brokers["nearby"].EmbeddedNodes, configs.EmbeddedNodes{
		Nodes: 1, DataDir: "/var/lib/weir", Listen: "localhost:4222",
	})

	regions := good(t, "three-regions")
	same(t, "replicas of three nodes", regions.Brokers["dev"].Streams.Replicas, 3)
	same(t, "folder beside the file", regions.Brokers["dev"].DataDir, filepath.Join("folder", "data"))
	same(t, "size", regions.Brokers["ap"].Streams.MaxBytes, configs.Size(10<<30))
}

// The local broker speaks for the site, so that hops of two gateways know each other.
func TestLocalNATSBrokerIsTheSite(t *testing.T) {
	text := "site: frankfurt\nlocal: here\nbrokers:\n  here: {type: nats, uris: [nats://a]}\n"
	cfg, _, err := configs.Parse("weir.yaml", []byte(text), environment)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "cluster name", cfg.Brokers["here"].ClusterName, "frankfurt")
}

func TestUpstreamsOfPolicies(t *testing.T) {
	cfg := good(t, "words-and-anchors")
	type from struct {
		upstream, broker, exchange string
		expires                    time.Duration
	}
	for name, want := range map[string][]from{
		"set":  {{"us", "us", "", time.Minute}, {"us", "us", "other", 2 * time.Hour}},
		"all":  {{"us", "us", "", time.Minute}}, // home is the downstream itself
		"some": {{"home", "EU.West", "", 0}},
	} {
		var got []from
		for _, u := range cfg.UpstreamsOf(cfg.Policies[name]) {
			got = append(got, from{u.Name, u.Broker, u.Exchange, u.Expires})
		}
		same(t, "upstreams of "+name, got, want)
	}
}

// An empty file has defaults for the process, and nothing else.
func TestProcessDefaults(t *testing.T) {
	cfg, warnings, err := configs.Parse("weir.yaml", []byte("version: 1\n"), environment)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	same(t, "admin", cfg.Admin, configs.Admin{Listen: "127.0.0.1:9470"})
	same(t, "telemetry", cfg.Telemetry, configs.Telemetry{
		Traces: configs.Traces{Ratio: 0.01, Propagation: configs.PropagateUpdate},
		Logs:   configs.Logs{Level: configs.LogInfo, Format: configs.LogText},
	})
}
