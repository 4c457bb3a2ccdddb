package amqp_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/tests/lab"
)

// crossed has crossed a link.
var crossed = amqp091.Table{"x-received-from": []any{amqp091.Table{"cluster-name": "us", "vhost": "/"}}, "region": "eu"}

// Ensure a buffer for first hops gets no message that has crossed a link, on any type of exchange, and all others; and that
// publishers see what they would see without it.
func TestFirstHop(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		for kind, binding := range map[string]broker.Binding{
			"topic": {Key: "item.#"}, "direct": {Key: "item.new"}, "fanout": {},
			"headers": {Arguments: broker.Table{"x-match": "all", "region": "eu"}},
		} {
			t.Run(kind, func(t *testing.T) {
				b := newBroker(t, config(v))
				buf := broker.Buffer{
					Name: "weir: " + kind + " " + strings.Repeat("x", 255), Exchange: broker.Exchange{Name: kind, Type: kind, Durable: true},
					Arguments: broker.Table{"x-queue-type": "quorum"}, FirstHop: true,
				}
				buf.Name = buf.Name[:255]
				check(t, b.DeclareBuffer(within(t), buf))
				check(t, b.DeclareBuffer(within(t), buf)) // again
				check(t, b.Rebind(within(t), buf, []broker.Binding{binding}, nil))
				if d := cmp.Diff([]broker.Binding{binding}, must(b.Bound(within(t), buf))(t)); d != "" {
					t.Errorf("bound with (-want +got):\n%s", d)
				}
				ch := v.Channel()
				check(t, ch.Confirm(false))
				returns := ch.NotifyReturn(make(chan amqp091.Return, 10))
				offer := func(body string, headers amqp091.Table) {
					t.Helper()
					confirm := must(ch.PublishWithDeferredConfirm(kind, "item.new", true, false, amqp091.Publishing{Body: []byte(body), Headers: headers}))(t)
					if acked, err := confirm.WaitContext(within(t)); err != nil || !acked {
						t.Fatalf("%s was not confirmed: %v", body, err)
					}
				}
				offer("far", crossed)
				if r := await(t, "a return", returns); string(r.Body) != "far" {
					t.Errorf("%q was returned", r.Body)
				}
				offer("near", amqp091.Table{"region": "eu", "x-other": "1"})
				must(ch.QueueDeclare("local-"+kind, true, false, false, false, nil))(t)
				args, _ := plainValue(binding.Arguments).(amqp091.Table)
				check(t, ch.QueueBind("local-"+kind, binding.Key, kind, false, args))
				offer("far to others", crossed)
				offer("near, too", amqp091.Table{"region": "eu"})
				s := must(b.OpenSource(within(t), broker.Address{Exchange: kind, Queue: buf.Name}, broker.SourceOptions{Link: "link", Window: 10, Buffer: true}))(t)
				for _, want := range []string{"near", "near, too"} {
					m := receive(t, s)
					if string(m.Body) != want || m.Exchange != kind || m.RoutingKey != "item.new" {
						t.Errorf("got %q from exchange %q with key %q, want %q", m.Body, m.Exchange, m.RoutingKey, want)
					}
					check(t, s.Ack(m))
				}
				check(t, s.Close())
				if q := must(ch.QueueDeclarePassive("local-"+kind, true, false, false, false, nil))(t); q.Messages != 2 {
					t.Errorf("%d messages for others, want 2", q.Messages)
				}
				if len(returns) > 0 {
					t.Errorf("%q was returned, too", (<-returns).Body)
				}
				if got := must(b.Waiting(within(t), buf.Name))(t); len(got) != 1 || got[0].Exchange != kind {
					t.Errorf("waiting: %v", got)
				}
				check(t, b.Rebind(within(t), buf, nil, []broker.Binding{binding}))
				if got := must(b.Bound(within(t), buf))(t); len(got) > 0 {
					t.Errorf("bound with %v, want nothing", got)
				}
				if got := must(b.Waiting(within(t), buf.Name))(t); len(got) != 1 || got[0].Exchange != "" {
					t.Errorf("waiting when unbound: %v", got)
				}
				check(t, b.DeleteBuffer(within(t), buf.Name, true))
				noHelpers(t, v)
			})
		}
	})
}

// Ensure no exchange of weir's is left.
func noHelpers(t *testing.T, v *lab.VHost) {
	t.Helper()
	var rows []struct{ Name string }
	v.Get("exchanges/{vhost}?columns=name", &rows)
	for _, x := range rows {
		if strings.HasPrefix(x.Name, "weir: ") {
			t.Errorf("exchange %q is left", x.Name)
		}
	}
}

// Ensure a buffer that gets a filter later, or loses it, keeps its bindings and its messages.
func TestFirstHopSwitched(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		b := newBroker(t, config(v))
		buf := broker.Buffer{Name: "weir: switched", Exchange: broker.Exchange{Name: "x", Type: "topic", Durable: true}}
		want := by("a", "b.#")
		check(t, b.DeclareBuffer(within(t), buf))
		check(t, b.Rebind(within(t), buf, want, nil))
		ch := v.Channel()
		arrive := func(n int) {
			t.Helper()
			check(t, ch.Confirm(false))
			for _, headers := range []amqp091.Table{crossed, nil} {
				c := must(ch.PublishWithDeferredConfirm("x", "a", false, false, amqp091.Publishing{Headers: headers}))(t)
				must(c.WaitContext(within(t)))(t)
			}
			if q := must(ch.QueuePurge(buf.Name, false))(t); q != n {
				t.Errorf("first hop %v: %d messages arrived, want %d", buf.FirstHop, q, n)
			}
		}
		arrive(2)
		for range 2 {
			buf.FirstHop = true
			check(t, b.DeclareBuffer(within(t), buf))
			if d := cmp.Diff(want, must(b.Bound(within(t), buf))(t)); d != "" {
				t.Errorf("with a filter (-want +got):\n%s", d)
			}
			arrive(1)
			buf.FirstHop = false
			check(t, b.DeclareBuffer(within(t), buf))
			if d := cmp.Diff(want, must(b.Bound(within(t), buf))(t)); d != "" {
				t.Errorf("without a filter (-want +got):\n%s", d)
			}
			arrive(2)
			noHelpers(t, v)
		}
	})
}

// Ensure a user who may not make exchanges gets an unfiltered buffer.
func TestFirstHopForbidden(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		check(t, v.Channel().ExchangeDeclare("x", "topic", true, false, false, false, nil))
		user, password := v.User("reader", "management")
		v.Permit(user, "^weir: [a-z]*$", "^weir: [a-z]*$", "^(x|weir: [a-z]*)$")
		conf := config(v)
		conf.Credentials = login(user, password)
		b := newBroker(t, conf)
		buf := broker.Buffer{Name: "weir: plain", Exchange: broker.Exchange{Name: "x", Type: "topic", Durable: true}, FirstHop: true}
		check(t, b.DeclareBuffer(within(t), buf))
		check(t, b.Rebind(within(t), buf, by("a"), nil))
		if d := cmp.Diff(by("a"), must(b.Bound(within(t), buf))(t)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		publish(t, v.Channel(), buf.Name, amqp091.Publishing{})
		var q struct{ Name string }
		if !v.Get("queues/{vhost}/"+url.PathEscape(buf.Name), &q) {
			t.Errorf("no queue %q", buf.Name)
		}
		check(t, b.DeleteBuffer(within(t), buf.Name, true))
	})
}
