package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"weir/broker"
)

// Behaviours of broker.Catalog.
const (
	ListsExchanges  = "a catalog lists exchanges as they were declared"
	ListsQueues     = "a catalog lists queues"
	ListsBuffers    = "a catalog lists what buffers are bound with"
	ForeignBindings = "a catalog lists the bindings of others"
	HintOfBinding   = "a hint tells that bindings have changed"
	HintsEnd        = "hints end with their context"
)

var catalogs = []behaviour{
	{name: ListsExchanges, run: func(t *test) {
		b := broker.Buffer{Name: "weir: " + t.ownName(), Exchange: broker.Exchange{
			Name: t.ownName(), Type: "topic", Durable: true, Arguments: broker.Table{"alternate-exchange": "lost & found"},
		}}
		t.declared(b)
		t.eventually(func() string {
			all, err := t.catalog().Exchanges(t.within())
			if err != nil {
				t.Fatalf("Exchanges: %v", err)
			}
			for _, x := range all {
				switch x.Name {
				case "":
					t.Fatal("the default exchange is listed")
				case b.Exchange.Name:
					return diff(b.Exchange, x)
				}
			}
			return "the exchange is not listed"
		})
	}},

	{name: ListsQueues, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.eventually(func() string {
			all, err := t.catalog().Queues(t.within())
			if err != nil {
				t.Fatalf("Queues: %v", err)
			}
			for _, found := range all {
				if found.Name != q.Sink.Queue {
					continue
				}
				if !found.Durable || found.AutoDelete || found.Exclusive || !slices.Contains([]string{"classic", "quorum"}, found.Type) {
					t.Fatalf("got %+v, want a durable queue, and its type", found)
				}
				return ""
			}
			return fmt.Sprintf("queue %q is not listed", q.Sink.Queue)
		})
	}},

	{name: ListsBuffers, run: func(t *test) {
		f := t.federated(nil)
		f.rebind(by("order.*", "stock.#"), nil)
		f.bindings(
			broker.Binding{Destination: f.buffer.Name, Key: "order.*"}, broker.Binding{Destination: f.buffer.Name, Key: "stock.#"})
		if _, err := t.catalog().Bindings(t.within(), t.ownName()+" missing"); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("Bindings of no exchange: got %v, want ErrNotFound", err)
		}
	}},

	{name: ForeignBindings, run: func(t *test) {
		f := fed{t, broker.Buffer{Exchange: broker.Exchange{Name: t.Exchange()}}}
		queue, unbind := t.Bind(f.buffer.Exchange.Name, broker.Binding{Key: "order.*"})
		f.bindings(queue)
		others := []broker.Binding{
			{Key: "order.*", Arguments: broker.Table{"tenant": "a", "level": int64(3)}},
			{Key: "stock.#", ToExchange: true},
		}
		for i, other := range others {
			others[i], _ = t.Bind(f.buffer.Exchange.Name, other)
		}
		f.bindings(append(others, queue)...)
		unbind()
		f.bindings(others...)
	}, without: func(t *test) {
		f := fed{t, broker.Buffer{Exchange: broker.Exchange{Name: t.Exchange()}}}
		queue, unbind := t.Bind(f.buffer.Exchange.Name, broker.Binding{Key: "order.*"})
		f.bindings(queue)
		unbind()
		f.bindings()
	}},

	{name: HintOfBinding, run: func(t *test) {
		x := t.Exchange()
		hints, err := t.catalog().Hints(t.within())
		if err != nil {
			t.Fatalf("Hints: %v", err)
		}
		t.eventually(func() string { // one that is missed is no mistake
			_, unbind := t.Bind(x, broker.Binding{Key: "order.*"})
			unbind()
			for {
				select {
				case hint, open := <-hints:
					if !open {
						t.Fatal("hints have ended")
					}
					if hint.Exchange == x {
						return ""
					}
				default:
					return "no hint of it has come"
				}
			}
		})
	}, without: func(t *test) {
		if _, err := t.catalog().Hints(t.within()); !errors.Is(err, broker.ErrUnsupported) {
			t.Errorf("Hints: got %v, want ErrUnsupported", err)
		}
	}},

	{name: HintsEnd, run: func(t *test) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		hints, err := t.catalog().Hints(ctx)
		if err != nil {
			t.Fatalf("Hints: %v", err)
		}
		cancel()
		for {
			select {
			case _, open := <-hints:
				if !open {
					return
				}
			case <-t.within().Done():
				t.Fatalf("hints have not ended within %v", t.timeout)
			}
		}
	}},
}

func (t *test) catalog() broker.Catalog {
	t.Helper()
	c, ok := t.Broker.(broker.Catalog)
	if !ok {
		t.Fatal("the broker is no broker.Catalog")
	}
	return c
}

// bindings waits until the catalog lists these, and no others, of the exchange.
func (f fed) bindings(want ...broker.Binding) {
	f.Helper()
	f.eventually(func() string {
		got, err := f.catalog().Bindings(f.within(), f.buffer.Exchange.Name)
		if err != nil {
			f.Fatalf("Bindings: %v", err)
		}
		return sameBindings(want, got)
	})
}
