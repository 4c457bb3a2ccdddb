package brokertest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"weir/broker"
)

// Federation tests what federation asks of a driver beside what Run tests: Buffers and Disposer, Catalog, and sources that
// stand by.
func Federation(t *testing.T, h Harness) {
	t.Helper()
	h.all(t, federation)
}

var federation = slices.Concat(buffers, rebinding, disposing, catalogs, standing)

// fed is one running test with a buffer on an exchange of its own.
type fed struct {
	*test
	buffer broker.Buffer
}

// federated declares a buffer on a fresh topic exchange.
func (t *test) federated(args broker.Table) fed {
	t.Helper()
	return t.declared(broker.Buffer{
		Name: "weir: " + t.ownName(), Exchange: broker.Exchange{Name: t.Exchange(), Type: "topic", Durable: true}, Arguments: args,
	})
}

func (t *test) declared(b broker.Buffer) fed {
	t.Helper()
	if err := t.buffers().DeclareBuffer(t.within(), b); err != nil {
		t.Fatalf("DeclareBuffer %q: %v", b.Name, err)
	}
	return fed{t, b}
}

func (t *test) buffers() broker.Buffers {
	t.Helper()
	b, ok := t.Broker.(broker.Buffers)
	if !ok {
		t.Fatal("the broker is no broker.Buffers")
	}
	return b
}

// rebind adds and removes bindings.
func (f fed) rebind(add, remove []broker.Binding) {
	f.Helper()
	if err := f.buffers().Rebind(f.within(), f.buffer, add, remove); err != nil {
		f.Fatalf("Rebind with %d more and %d less: %v", len(add), len(remove), err)
	}
}

// bound asserts what the buffer is bound with, in any order.
func (f fed) bound(want ...broker.Binding) {
	f.Helper()
	got, err := f.buffers().Bound(f.within(), f.buffer)
	if err != nil {
		f.Fatalf("Bound: %v", err)
	}
	if d := sameBindings(want, got); d != "" {
		f.Fatalf("bindings differ (-want +got):\n%s", d)
	}
}

// open receives from the buffer.
func (f fed) open(window int) broker.Source {
	f.Helper()
	s, err := f.Broker.OpenSource(f.within(), f.address(), broker.SourceOptions{Link: "link", Site: site, Window: window, Buffer: true})
	if err != nil {
		f.Fatalf("OpenSource on buffer %q: %v", f.buffer.Name, err)
	}
	f.Cleanup(func() { _ = s.Close() })
	return s
}

func (f fed) address() broker.Address {
	return broker.Address{Exchange: f.buffer.Exchange.Name, Queue: f.buffer.Name}
}

// published publishes to the exchange a message for each key, with the key as its body. Whether anybody wants it does not
// matter.
func (f fed) published(keys ...string) {
	f.Helper()
	var ms []*broker.Message
	for _, key := range keys {
		ms = append(ms, along(Route{RoutingKey: key}, key))
	}
	f.offered(ms...)
}

func (f fed) offered(ms ...*broker.Message) {
	f.Helper()
	k := f.sink(broker.Address{Exchange: f.buffer.Exchange.Name})
	for _, c := range f.send(k, ms...) {
		_ = f.answer(c)
	}
	if err := k.Close(); err != nil {
		f.Fatalf("close the sink: %v", err)
	}
}

// holds asserts what is in the buffer, in order, and takes it.
func (f fed) holds(want ...string) {
	f.Helper()
	s := f.open(len(want) + 1)
	got := f.receive(s, len(want))
	f.bodies(got, want...)
	f.nothing(s)
	if len(got) > 0 {
		f.ack(s, got[len(got)-1])
	}
	f.shut(s)
}

// by makes a binding of each key.
func by(keys ...string) []broker.Binding {
	var all []broker.Binding
	for _, key := range keys {
		all = append(all, broker.Binding{Key: key})
	}
	return all
}

// sameBindings is empty if these are the same, whatever their order.
func sameBindings(want, got []broker.Binding) string {
	sorted := func(all []broker.Binding) []broker.Binding {
		return slices.SortedFunc(slices.Values(all), func(a, b broker.Binding) int {
			return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) // fmt sorts maps
		})
	}
	return diff(sorted(want), sorted(got))
}
