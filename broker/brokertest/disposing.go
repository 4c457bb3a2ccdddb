package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"weir/broker"
)

// Behaviours of what federation leaves behind: Waiting and broker.Disposer.
const (
	Waiting       = "buffers that wait are listed by the beginning of their name"
	DeleteEmpty   = "an empty buffer is deleted, its exchange stays"
	DeleteHolding = "a buffer that holds messages is deleted only by force"
	DeleteInUse   = "a buffer that is received from is deleted only by force"
)

var disposing = []behaviour{
	{name: Waiting, run: func(t *test) {
		x := t.Exchange()
		var all []fed
		for _, end := range []string{"1", "2", "other"} {
			name := "weir: " + t.ownName()
			if end == "other" {
				name = "not " + name
			}
			f := t.declared(broker.Buffer{Name: name + end, Exchange: broker.Exchange{Name: x, Type: "topic", Durable: true}})
			f.rebind(by("#"), nil)
			all = append(all, f)
		}
		prefix := "weir: " + t.ownName()
		t.waits(prefix, 0, 0)
		all[0].published("a", "b")
		t.waits(prefix, 2, 2)
		s := all[0].open(1)
		t.ack(s, t.receive(s, 1)[0])
		t.receive(s, 1) // what is delivered waits, too
		t.waits(prefix, 1, 2)
		t.waits(prefix+"2", 2)
		t.waits("nobody's: ")
		ws, err := t.buffers().Waiting(t.within(), prefix)
		if err != nil {
			t.Fatalf("Waiting: %v", err)
		}
		for i, w := range ws {
			if w.Name != all[i].buffer.Name || w.Exchange != x && w.Exchange != "" {
				t.Errorf("got %q on exchange %q, want %q on %q or unknown", w.Name, w.Exchange, all[i].buffer.Name, x)
			}
		}
	}},

	{name: DeleteEmpty, run: func(t *test) {
		f := t.federated(nil)
		f.rebind(by("#"), nil)
		f.deleted(false)
		f.waits(f.buffer.Name)
		if _, err := t.buffers().Bound(t.within(), f.buffer); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("Bound of what is deleted: got %v, want ErrNotFound", err)
		}
		f.deleted(false) // is no mistake
		f.deleted(true)
		// What is made anew begins with nothing.
		t.declared(f.buffer).bound()
		f.rebind(by("a"), nil)
		f.published("a")
		f.holds("a")
	}},

	{name: DeleteHolding, run: func(t *test) {
		f := t.federated(nil)
		f.rebind(by("#"), nil)
		f.published("a", "b")
		f.waits(f.buffer.Name, 2)
		f.deleteRefused()
		s := f.open(1)
		t.ack(s, t.receive(s, 1)[0])
		t.shut(s)
		f.waits(f.buffer.Name, 1)
		f.deleteRefused()
		f.bound(by("#")...)
		f.deleted(true)
		f.waits(f.buffer.Name)
	}},

	{name: DeleteInUse, run: func(t *test) {
		f := t.federated(nil)
		f.rebind(by("#"), nil)
		s := f.open(1)
		f.deleteRefused()
		f.published("a")
		t.bodies(t.receive(s, 1), "a")
		f.deleted(true)
		if m, err := s.Receive(t.within()); err == nil {
			t.Fatalf("received %q from what is deleted", m.Body)
		} else if errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Receive has not noticed: %v", err)
		}
		f.waits(f.buffer.Name)
	}},
}

func (f fed) deleted(force bool) {
	f.Helper()
	if err := f.Broker.(broker.Disposer).DeleteBuffer(f.within(), f.buffer.Name, force); err != nil {
		f.Fatalf("DeleteBuffer (force: %v): %v", force, err)
	}
}

func (f fed) deleteRefused() {
	f.Helper()
	if err := f.Broker.(broker.Disposer).DeleteBuffer(f.within(), f.buffer.Name, false); !errors.Is(err, broker.ErrInUse) {
		f.Fatalf("DeleteBuffer: got %v, want ErrInUse", err)
	}
}

// waits waits until the buffers whose names begin like this hold as many messages each.
func (t *test) waits(prefix string, want ...int64) {
	t.Helper()
	t.eventually(func() string {
		ws, err := t.buffers().Waiting(t.within(), prefix)
		if err != nil {
			t.Fatalf("Waiting: %v", err)
		}
		var got []int64
		for _, w := range ws {
			if !w.Messages.Known {
				return fmt.Sprintf("what waits in %s is not known", w.Name)
			}
			got = append(got, w.Messages.N)
		}
		if !slices.Equal(got, want) {
			return fmt.Sprintf("buffers that begin with %q hold %v, want %v", prefix, got, want)
		}
		return ""
	})
}
