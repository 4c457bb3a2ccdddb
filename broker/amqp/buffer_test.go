package amqp_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/amqp"
	"weir/tests/lab"
)

// Ensure everything that exists is listed, and each binding with the types that RabbitMQ would give it.
func TestCatalog(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		ch := v.Channel()
		check(t, ch.ExchangeDeclare("by-region", "headers", false, true, true, false, amqp091.Table{"alternate-exchange": "amq.fanout"}))
		check(t, ch.ExchangeDeclare("catalog", "topic", true, false, false, false, nil))
		must(ch.QueueDeclare("kept", true, false, false, false, amqp091.Table{"x-queue-type": "quorum", "x-max-length": int32(9)}))(t)
		must(ch.QueueDeclare("mine", false, true, true, false, nil))(t)
		check(t, ch.QueueBind("kept", "", "by-region", false, amqp091.Table{
			"x-match": "any", "x-region": nil, "small": int16(1), "large": int64(1 << 40), "half": 0.5, "yes": true,
			"x-bound-from": []any{amqp091.Table{"cluster-name": "eu", "vhost": "/", "exchange": "/:x A", "hops": int16(2)}},
			"nested":       amqp091.Table{"list": []any{int32(1), "two", amqp091.Table{}}},
		}))
		check(t, ch.QueueBind("kept", "item.*", "catalog", false, nil))
		check(t, ch.ExchangeBind("by-region", "item.#", "catalog", false, nil))
		b := newBroker(t, config(v))

		exchanges := must(b.Exchanges(within(t)))(t)
		own := slices.DeleteFunc(slices.Clone(exchanges), func(x broker.Exchange) bool { return strings.HasPrefix(x.Name, "amq.") })
		if d := cmp.Diff([]broker.Exchange{
			{Name: "by-region", Type: "headers", AutoDelete: true, Internal: true, Arguments: broker.Table{"alternate-exchange": "amq.fanout"}},
			{Name: "catalog", Type: "topic", Durable: true},
		}, own); d != "" {
			t.Errorf("exchanges (-want +got):\n%s", d)
		}
		if !slices.ContainsFunc(exchanges, func(x broker.Exchange) bool { return x.Name == "amq.topic" }) {
			t.Errorf("no amq.topic among %v", exchanges)
		}
		queues := must(b.Queues(within(t)))(t)
		for i := range queues { // 4.x adds x-queue-type to what was declared
			if delete(queues[i].Arguments, "x-queue-type"); len(queues[i].Arguments) == 0 {
				queues[i].Arguments = nil
			}
		}
		if d := cmp.Diff([]broker.Queue{
			{Name: "kept", Type: "quorum", Durable: true, Arguments: broker.Table{"x-max-length": int64(9)}},
			{Name: "mine", Type: "classic", AutoDelete: true, Exclusive: true},
		}, queues); d != "" {
			t.Errorf("queues (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]broker.Binding{{Destination: "kept", Arguments: broker.Table{
			"x-match": "any", "x-region": nil, "small": int64(1), "large": int64(1 << 40), "half": 0.5, "yes": true,
			"x-bound-from": broker.Array{broker.Table{"cluster-name": "eu", "vhost": "/", "exchange": "/:x A", "hops": int16(2)}},
			"nested":       broker.Table{"list": broker.Array{int64(1), "two", broker.Table{}}},
		}}}, must(b.Bindings(within(t), "by-region"))(t)); d != "" {
			t.Errorf("bindings of by-region (-want +got):\n%s", d)
		}
		got := must(b.Bindings(within(t), "catalog"))(t)
		slices.SortFunc(got, func(a, b broker.Binding) int { return strings.Compare(a.Key, b.Key) })
		if d := cmp.Diff([]broker.Binding{{Destination: "by-region", ToExchange: true, Key: "item.#"}, {Destination: "kept", Key: "item.*"}}, got); d != "" {
			t.Errorf("bindings of catalog (-want +got):\n%s", d)
		}
		if got := must(b.Bindings(within(t), "amq.direct"))(t); len(got) > 0 {
			t.Errorf("bindings of amq.direct: %v", got)
		}
		if _, err := b.Bindings(within(t), "none"); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("bindings of no exchange: %v", err)
		}
	})
}

// Ensure a user who may not ask, and a broker without a management API, are told apart, each with the cure.
func TestCatalogUnreadable(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	user, password := v.User("untagged")
	v.Permit(user, ".*", ".*", ".*")
	for name, c := range map[string]struct {
		change func(*amqp.Config)
		want   error
		cure   string
	}{
		"no tag":        {func(c *amqp.Config) { c.Credentials = login(user, password) }, broker.ErrDenied, "tag management"},
		"no management": {func(c *amqp.Config) { c.Management = amqp.Management{} }, broker.ErrUnsupported, "brokers.lab.management"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config(v)
			c.change(&conf)
			b := newBroker(t, conf)
			_, exchanges := b.Exchanges(within(t))
			_, queues := b.Queues(within(t))
			_, bindings := b.Bindings(within(t), "amq.topic")
			_, bound := b.Bound(within(t), broker.Buffer{Name: "weir: x"})
			_, waiting := b.Waiting(within(t), "weir: ")
			for _, err := range []error{exchanges, queues, bindings, bound, waiting} {
				if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.cure) {
					t.Errorf("got %v, want %v and %q", err, c.want, c.cure)
				}
			}
		})
	}
}

// Ensure what was bound is read back as it was, and that a binding with those arguments can be removed.
func TestBindingArgumentsRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		b := newBroker(t, config(v))
		buf := broker.Buffer{Name: "weir: h", Exchange: broker.Exchange{Name: "h", Type: "headers", Durable: true}}
		check(t, b.DeclareBuffer(within(t), buf))
		want := []broker.Binding{{Arguments: broker.Table{
			"x-match": "all", "region": "eu", "n": int64(3), "any": nil,
			"x-bound-from": broker.Array{broker.Table{"cluster-name": "eu", "vhost": "/", "exchange": "/:h", "hops": int16(1)}},
		}}}
		check(t, b.Rebind(within(t), buf, want, nil))
		got := must(b.Bound(within(t), buf))(t)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		check(t, b.Rebind(within(t), buf, nil, got))
		if left := must(b.Bound(within(t), buf))(t); len(left) > 0 {
			t.Errorf("%v are left", left)
		}
	})
}

// Ensure an exchange that exists is taken as it is, and why a buffer cannot be declared or bound.
func TestBufferRefused(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		ch := v.Channel()
		check(t, ch.ExchangeDeclare("direct", "direct", false, false, false, false, nil))
		b := newBroker(t, config(v))
		topic := func(name string) broker.Exchange { return broker.Exchange{Name: name, Type: "topic", Durable: true} }
		check(t, b.DeclareBuffer(within(t), broker.Buffer{Name: "weir: direct", Exchange: topic("direct")}))

		err := b.DeclareBuffer(within(t), broker.Buffer{Name: "weir: direct", Exchange: topic("direct"), Arguments: broker.Table{"x-expires": int64(60000)}})
		if !errors.Is(err, broker.ErrMismatch) || !strings.Contains(err.Error(), "x-expires") {
			t.Errorf("with other arguments: %v", err)
		}
		err = b.DeclareBuffer(within(t), broker.Buffer{Name: "weir: odd", Exchange: broker.Exchange{Name: "odd", Type: "x-none", Durable: true}})
		if !errors.Is(err, broker.ErrUnsupported) {
			t.Errorf("an exchange of an unknown type: %v", err)
		}
		err = b.Rebind(within(t), broker.Buffer{Name: "weir: direct", Exchange: topic("gone")}, by("a", "b", "c"), nil)
		if !errors.Is(err, broker.ErrNotFound) || !strings.Contains(err.Error(), "gone") {
			t.Errorf("to an exchange that has gone: %v", err)
		}
		user, password := v.User("binder")
		v.Permit(user, ".*", ".*", "^weir")
		conf := config(v)
		conf.Credentials = login(user, password)
		err = newBroker(t, conf).Rebind(within(t), broker.Buffer{Name: "weir: direct", Exchange: topic("direct")}, by("a"), nil)
		if !errors.Is(err, broker.ErrDenied) {
			t.Errorf("without the permission to read from the exchange: %v", err)
		}
	})
}

// Ensure thousands of bindings over a long way take round trips by the dozen, not by the thousand.
func TestRebindIsPipelined(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	const n, way = 2000, 40 * time.Millisecond
	conf := config(v)
	conf.URIs = []string{"amqp://" + far(t, fmt.Sprintf("127.0.0.1:%d", v.Broker.Nodes[0].AMQP), way)}
	b := newBroker(t, conf)
	buf := broker.Buffer{Name: "weir: far", Exchange: broker.Exchange{Name: "far", Type: "topic", Durable: true}}
	check(t, b.DeclareBuffer(within(t), buf))
	var keys []string
	for i := range n {
		keys = append(keys, "key."+strconv.Itoa(i))
	}
	began := time.Now()
	check(t, b.Rebind(within(t), buf, by(keys...), nil))
	added := time.Since(began)
	if got := must(b.Bound(within(t), buf))(t); len(got) != n {
		t.Errorf("%d bindings, want %d", len(got), n)
	}
	check(t, b.Rebind(within(t), buf, nil, by(keys[1:]...)))
	t.Logf("%d bindings added in %v, removed in %v", n, added, time.Since(began)-added)
	if d := cmp.Diff(by(keys[0]), must(b.Bound(within(t), buf))(t)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if one := n * 2 * way; time.Since(began) > one {
		t.Errorf("%v, which is no better than one by one (%v)", time.Since(began), one)
	}
}

// Ensure a buffer with messages, delivered ones too, or with a consumer is not deleted unless it must be.
func TestDeleteBuffer(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		for _, kind := range []string{"classic", "quorum"} {
			t.Run(kind, func(t *testing.T) {
				b := newBroker(t, config(v))
				buf := broker.Buffer{
					Name: "weir: " + kind, Exchange: broker.Exchange{Name: "x", Type: "fanout", Durable: true},
					Arguments: broker.Table{"x-queue-type": kind},
				}
				check(t, b.DeclareBuffer(within(t), buf))
				publish(t, v.Channel(), buf.Name, amqp091.Publishing{Body: []byte("1")})
				inUse := func(why string) {
					t.Helper()
					if err := b.DeleteBuffer(within(t), buf.Name, false); !errors.Is(err, broker.ErrInUse) {
						t.Fatalf("with %s: %v", why, err)
					}
				}
				inUse("a message")
				s := must(b.OpenSource(within(t), broker.Address{Exchange: "x", Queue: buf.Name}, broker.SourceOptions{Link: "link", Window: 1, Buffer: true}))(t)
				m := receive(t, s)
				inUse("a consumer")
				eventually(t, "one unacked in statistics", func() bool { // the management API takes a while to know
					d := must(b.Depth(within(t), broker.Address{Queue: buf.Name}))(t)
					return d.Unacked == broker.Counted(1)
				})
				check(t, s.Stop(within(t)))
				inUse("a message that was delivered")
				check(t, s.Ack(m))
				check(t, s.Close())
				eventually(t, "the empty buffer is deleted", func() bool { // statistics are late where the machine is busy
					err := b.DeleteBuffer(within(t), buf.Name, false)
					if !errors.Is(err, broker.ErrInUse) {
						check(t, err)
					}
					return err == nil
				})
				check(t, b.DeleteBuffer(within(t), buf.Name, false)) // missing
				if _, err := b.Bound(within(t), buf); !errors.Is(err, broker.ErrNotFound) {
					t.Errorf("after it was deleted: %v", err)
				}
				_, err := b.OpenSource(within(t), broker.Address{Exchange: "x", Queue: buf.Name}, broker.SourceOptions{Link: "link", Window: 1, Buffer: true})
				if !errors.Is(err, broker.ErrNotFound) {
					t.Errorf("a source on it, deleted: %v", err)
				}

				check(t, b.DeclareBuffer(within(t), buf))
				check(t, b.Rebind(within(t), buf, by("k"), nil))
				publish(t, v.Channel(), buf.Name, amqp091.Publishing{Body: []byte("2")})
				eventually(t, "one message waits", func() bool {
					got := must(b.Waiting(within(t), "weir: "+kind))(t)
					want := []broker.Waiting{{Name: buf.Name, Exchange: "x", Messages: broker.Counted(1)}}
					return cmp.Equal(want, got)
				})
				check(t, b.DeleteBuffer(within(t), buf.Name, true))
			})
		}
	})
}

func by(keys ...string) []broker.Binding {
	var list []broker.Binding
	for _, key := range keys {
		list = append(list, broker.Binding{Key: key})
	}
	return list
}
