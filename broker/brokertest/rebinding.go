package brokertest

import (
	"fmt"
	"slices"
	"strings"

	"weir/broker"
)

// Behaviours of Rebind.
const (
	BoundReadsBack     = "bindings are read back as they were made"
	BindingArguments   = "bindings that differ in their arguments are two"
	ManyBindings       = "hundreds of bindings are made and taken away at once"
	MakeBeforeBreak    = "nothing is missed while bindings change"
	RebindIsIdempotent = "a Rebind can be repeated"
)

// manyBindings is small enough for the filters that JetStream holds for one consumer.
const manyBindings = 300

var rebinding = []behaviour{
	{name: BoundReadsBack, run: func(t *test) {
		f := t.federated(nil)
		want := by("", "#", "order.*", "*.created", "order.eu.#", "with blank", "каталог.目录", "a->b", "50%/x", "a,b;c")
		f.rebind(want, nil)
		f.bound(want...)
		f.rebind(nil, want[:5])
		f.bound(want[5:]...)
	}},

	{name: BindingArguments, run: func(t *test) {
		f := t.federated(nil)
		hops := func(cluster string) broker.Table {
			return broker.Table{"x-bound-from": broker.Array{broker.Table{
				"cluster-name": cluster, "vhost": "/", "exchange": "weir: " + cluster, "hops": int16(1),
			}}}
		}
		eu, us := broker.Binding{Key: "order.*", Arguments: hops("eu")}, broker.Binding{Key: "order.*", Arguments: hops("us")}
		plain := broker.Binding{Key: "order.*"}
		other := broker.Binding{Key: "stock.#", Arguments: broker.Table{"text": "ü", "yes": true, "no": nil, "many": broker.Array{"a", int64(2)}}}
		f.rebind([]broker.Binding{eu, us, plain, other}, nil)
		f.bound(eu, us, plain, other)
		f.published("order.paid")
		f.holds("order.paid")
		f.rebind(nil, []broker.Binding{us, plain})
		f.bound(eu, other)
		f.published("order.paid", "stock")
		f.holds("order.paid", "stock")
		f.rebind(nil, []broker.Binding{plain}) // is not there, and takes no other's place
		f.bound(eu, other)
	}},

	{name: RebindIsIdempotent, run: func(t *test) {
		f := t.federated(nil)
		for range 2 {
			f.rebind(by("a", "b", "b"), by("c"))
			f.bound(by("a", "b")...)
		}
		for range 2 {
			f.rebind(nil, by("a"))
			f.bound(by("b")...)
		}
		f.published("a", "b")
		f.holds("b")
	}},

	{name: ManyBindings, run: func(t *test) {
		f := t.federated(nil)
		var keys []string
		for _, n := range numbers(1, manyBindings) {
			keys = append(keys, "item."+n)
		}
		f.rebind(by(keys...), nil)
		f.bound(by(keys...)...)
		f.published("item.1", "item.0", fmt.Sprint("item.", manyBindings))
		f.holds("item.1", fmt.Sprint("item.", manyBindings))
		f.rebind(by("more.*"), by(keys[1:]...))
		f.bound(by("item.1", "more.*")...)
		f.published("item.1", "item.2", "more.1")
		f.holds("item.1", "more.1")
	}},

	{name: MakeBeforeBreak, run: func(t *test) {
		t.rebindInFullFlow(func(string) bool { return true })
	}, without: func(t *test) { // where an unbind takes along what waits in the buffer for it alone
		t.rebindInFullFlow(func(body string) bool { return !strings.HasPrefix(body, "new.") || body == "new.20" })
	}},
}

// rebindInFullFlow changes bindings twenty times. Those messages must be in the buffer in the end that stay says do; of
// the others any may be.
func (t *test) rebindInFullFlow(stays func(body string) bool) {
	f := t.federated(nil)
	f.rebind(by("kept.*", "new.0"), nil)
	done := make(chan struct{})
	kept := f.keepPublishing("kept.", done)
	var want []string
	for n := 1; n <= 20; n++ {
		is, was := fmt.Sprint("new.", n), fmt.Sprint("new.", n-1)
		f.rebind(by(is), by(was))
		f.published(is)
		if stays(is) {
			want = append(want, is)
		}
	}
	close(done)
	want = append(want, <-kept...)
	s := f.open(100)
	var got []string
	for len(got) < len(want) {
		m := t.receive(s, 1)[0]
		if stays(string(m.Body)) {
			got = append(got, string(m.Body))
		}
		t.ack(s, m)
	}
	t.nothing(s)
	f.bound(by("kept.*", "new.20")...)
	if d := diff(ordered(want), ordered(got)); d != "" {
		t.Fatalf("what the buffer got differs (-want +got):\n%s", d)
	}
}

// keepPublishing publishes messages one after the other, with numbered keys, until done, and returns those confirmed.
func (f fed) keepPublishing(prefix string, done <-chan struct{}) <-chan []string {
	f.Helper()
	k := f.sink(broker.Address{Exchange: f.buffer.Exchange.Name})
	ctx, all := f.within(), make(chan []string, 1)
	go func() {
		var confirmed []string
		defer func() { all <- confirmed }()
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			key := fmt.Sprint(prefix, n)
			c, err := k.Send(ctx, along(Route{RoutingKey: key}, key))
			if err != nil {
				f.Errorf("Send %s: %v", key, err)
				return
			}
			select {
			case <-c.Done():
			case <-ctx.Done():
			}
			if err := c.Err(); err != nil {
				f.Errorf("%s: got %v, want it confirmed", key, err)
				return
			}
			confirmed = append(confirmed, key)
		}
	}()
	return all
}

// ordered puts messages of one publisher after those of another, each in order.
func ordered(bodies []string) []string {
	return slices.SortedStableFunc(slices.Values(bodies), func(a, b string) int {
		return strings.Compare(a[:strings.Index(a, ".")], b[:strings.Index(b, ".")])
	})
}
