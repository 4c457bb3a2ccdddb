package brokertest

import (
	"errors"

	"weir/broker"
)

// Behaviours of broker.Buffers: what a buffer is, and what it gets.
const (
	BufferDeclared  = "a buffer and its exchange are declared if they are missing"
	BufferMismatch  = "a buffer with other arguments is a mismatch, and nothing changes"
	BufferMissing   = "a buffer that is not there is not found"
	BufferDenied    = "a buffer without permission is denied"
	BufferGets      = "a buffer gets what it is bound with, once, and nothing else"
	BufferKeeps     = "a buffer keeps what comes while nobody receives, and what was unsettled"
	BufferNames     = "names of buffers and exchanges may hold any character"
	HeadersExchange = "a headers exchange matches by the arguments of its bindings"
	FirstHop        = "a first-hop buffer keeps out what has crossed a link"
)

var buffers = []behaviour{
	{name: BufferDeclared, run: func(t *test) {
		f := t.declared(broker.Buffer{
			Name: "weir: " + t.ownName(), Exchange: broker.Exchange{Name: t.ownName() + " x", Type: "topic", Durable: true},
		})
		f.bound()
		f.rebind(by("a"), nil)
		t.declared(f.buffer)
		f.bound(by("a")...)
		f.published("a")
		f.holds("a")
		if !t.Durable(f.address()) {
			t.Error("the buffer is not durable")
		}
		// An exchange that exists is taken as it is.
		other := f.buffer
		other.Name += " 2"
		other.Exchange.Type, other.Exchange.Durable = "fanout", false
		t.declared(other).bound()
	}},

	{name: BufferMismatch, run: func(t *test) {
		f := t.federated(broker.Table{"x-expires": int64(3_600_000)})
		f.rebind(by("a"), nil)
		f.published("a")
		other := f.buffer
		other.Arguments = broker.Table{"x-expires": int64(7_200_000)}
		if err := t.buffers().DeclareBuffer(t.within(), other); !errors.Is(err, broker.ErrMismatch) {
			t.Fatalf("DeclareBuffer: got %v, want ErrMismatch", err)
		}
		t.declared(f.buffer)
		f.bound(by("a")...)
		f.holds("a")
	}},

	{name: BufferMissing, run: func(t *test) {
		missing := fed{t, broker.Buffer{Name: "weir: " + t.ownName(), Exchange: broker.Exchange{Name: t.Exchange(), Type: "topic", Durable: true}}}
		if _, err := t.buffers().Bound(t.within(), missing.buffer); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("Bound: got %v, want ErrNotFound", err)
		}
		if err := t.buffers().Rebind(t.within(), missing.buffer, by("a"), nil); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("Rebind: got %v, want ErrNotFound", err)
		}
		s, err := t.Broker.OpenSource(t.within(), missing.address(), broker.SourceOptions{Link: "link", Site: site, Window: 1, Buffer: true})
		if err == nil {
			t.shut(s)
		}
		if !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("OpenSource: got %v, want ErrNotFound", err)
		}
	}},

	{name: BufferDenied, run: func(t *test) {
		b := broker.Buffer{Name: "weir: " + t.ownName(), Exchange: broker.Exchange{Name: t.Exchange(), Type: "topic", Durable: true}}
		for who, denied := range map[string]broker.Broker{"wrong password": t.WrongPassword, "no permission": t.Forbidden} {
			if err := denied.(broker.Buffers).DeclareBuffer(t.within(), b); !errors.Is(err, broker.ErrDenied) {
				t.Errorf("%s: got %v, want ErrDenied", who, err)
			}
		}
	}},

	{name: BufferGets, run: func(t *test) {
		f := t.federated(nil)
		f.published("order.created")
		f.rebind(by("order.*", "order.created", "stock.#"), nil)
		f.published("order.created", "invoice.paid", "order.eu.paid", "stock", "stock.eu.north", "order.paid")
		f.holds("order.created", "stock", "stock.eu.north", "order.paid")
		// Of two bindings that want the same one may go.
		f.rebind(nil, by("order.created", "never.was"))
		f.bound(by("order.*", "stock.#")...)
		f.published("order.created", "stock")
		f.holds("order.created", "stock")
		f.rebind(by("order.*", "order.paid"), by("order.*", "stock.#"))
		f.bound(by("order.paid")...)
		f.published("order.created", "stock", "order.paid")
		f.holds("order.paid")
		f.rebind(nil, by("order.paid"))
		f.bound()
		f.published("order.paid", "stock")
		f.holds()
	}},

	{name: BufferKeeps, run: func(t *test) {
		f := t.federated(broker.Table{"x-single-active-consumer": true})
		f.rebind(by("#"), nil)
		f.published("1", "2", "3")
		s := f.open(2)
		t.ack(s, t.receive(s, 2)[0])
		t.shut(s)
		f.published("4")
		f.rebind(by("4"), nil) // a change is no reason to forget
		f.holds("2", "3", "4")
		f.bound(by("#", "4")...)
	}},

	{name: BufferNames, run: func(t *test) {
		for _, name := range []string{"каталог 目录", "eu -> us/shop", "a*b#c>d%e.f", `tail\ "quoted" ?x=1&y`} {
			f := t.declared(broker.Buffer{
				Name: "weir: " + name + " -> " + t.ownName(), Exchange: broker.Exchange{Name: t.ownName() + name, Type: "topic", Durable: true},
			})
			f.rebind(by("order.*"), nil)
			f.bound(by("order.*")...)
			f.published("order.paid")
			f.waits(f.buffer.Name, 1)
			f.holds("order.paid")
			f.deleted(false)
			f.waits(f.buffer.Name)
		}
	}},

	{name: HeadersExchange, run: func(t *test) {
		f := t.declared(broker.Buffer{
			Name: "weir: " + t.ownName(), Exchange: broker.Exchange{Name: t.ownName(), Type: "headers", Durable: true},
		})
		all := broker.Binding{Arguments: broker.Table{"x-match": "all", "region": "eu", "size": int64(5)}}
		either := broker.Binding{Arguments: broker.Table{"x-match": "any", "region": "us", "urgent": true}}
		f.rebind([]broker.Binding{all, either}, nil)
		f.bound(all, either)
		with := func(body string, headers broker.Table) *broker.Message {
			m := along(Route{}, body)
			m.Headers = headers
			return m
		}
		send := func() {
			f.offered(
				with("both", broker.Table{"region": "eu", "size": int64(5), "more": "x"}), with("half", broker.Table{"region": "eu"}),
				with("us", broker.Table{"region": "us"}), with("urgent", broker.Table{"region": "ap", "urgent": true}), with("none", nil))
		}
		send()
		f.holds("both", "us", "urgent")
		f.rebind(nil, []broker.Binding{either})
		f.bound(all)
		send()
		f.holds("both")
	}},

	{name: FirstHop, run: func(t *test) {
		f := t.declared(broker.Buffer{
			Name: "weir: " + t.ownName(), Exchange: broker.Exchange{Name: t.Exchange(), Type: "topic", Durable: true}, FirstHop: true,
		})
		f.rebind(by("order.*", "stock.#"), nil)
		f.bound(by("order.*", "stock.#")...)
		crossed := along(Route{RoutingKey: "order.paid"}, "crossed")
		crossed.Headers = broker.Table{"x-received-from": broker.Array{broker.Table{"cluster-name": "us", "vhost": "/"}}}
		fresh := along(Route{RoutingKey: "order.paid"}, "fresh")
		f.offered(crossed, fresh, crossed)
		f.holds("fresh")
		f.rebind(by("invoice.*"), by("order.*"))
		f.published("order.paid", "invoice.paid", "stock")
		f.holds("invoice.paid", "stock")
	}},
}
