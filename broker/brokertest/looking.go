package brokertest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/broker"
)

// Behaviours of a Broker beside its sessions.
const (
	Depth       = "depth is what is there, without our own consumers"
	Consumers   = "depth counts the consumers of others"
	Identity    = "a broker knows what it is called"
	Check       = "a check says what opening would, and changes nothing"
	DeadLetters = "a check tells whether a queue keeps what is rejected"
	LockOne     = "a lock has one owner at a time"
	LockLost    = "a lock ends with the connection"
	LockLasts   = "a lock outlives the wait for it"
)

var looking = []behaviour{
	{name: Depth, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.depth(q, 0, 0)
		t.publish(q, texts(numbers(1, 5)...)...)
		t.depth(q, 5, 0)
		s := t.source(q.Source, 2)
		held := t.receive(s, 2)
		t.depth(q, 3, 2)
		t.ack(s, held[1])
		t.receive(s, 2)
		t.depth(q, 1, 2)
		t.shut(s)
		t.depth(q, 3, 0)
	}},

	{name: Consumers, run: func(t *test) {
		q := t.Queue(QueueOptions{})
		t.source(q.Source, 1)
		stop := t.Consume(q)
		t.consumers(q, 1)
		stop()
		t.consumers(q, 0)
	}, without: func(t *test) {
		q := t.Queue(QueueOptions{})
		d, err := t.Broker.Depth(t.within(), q.Source)
		if err != nil {
			t.Fatalf("Depth: %v", err)
		}
		if d.Consumers.Known {
			t.Errorf("%v consumers: want them unknown where they cannot be counted", d.Consumers)
		}
	}},

	{name: Identity, run: func(t *test) {
		id, err := t.Broker.(broker.Identifier).Identity(t.within())
		if err != nil {
			t.Fatalf("Identity: %v", err)
		}
		if id.Cluster == "" || id.VHost == "" || id.URI == "" {
			t.Errorf("got %+v, want every part of it", id)
		}
		if strings.ContainsAny(id.URI, "@?") {
			t.Errorf("URI %s: want neither credentials nor query", id.URI)
		}
		if again, err := t.Broker.(broker.Identifier).Identity(t.within()); err != nil || again.Cluster != id.Cluster || again.VHost != id.VHost {
			t.Errorf("the second time it is %+v (%v), want %+v", again, err, id)
		}
	}},

	{name: Check, run: func(t *test) {
		q, at := t.Queue(QueueOptions{}), t.Missing()
		check := func(at broker.Address, as broker.Role, predeclared bool, want error) {
			t.Helper()
			if err := t.Broker.(broker.Checker).Check(t.within(), at, as, predeclared); !errors.Is(err, want) {
				t.Errorf("Check %v: got %v, want %v", at, err, want)
			}
		}
		check(q.Source, broker.AsSource, true, nil)
		check(q.Sink, broker.AsDestination, true, nil)
		check(at, broker.AsSource, true, broker.ErrNotFound)
		check(at, broker.AsDestination, true, broker.ErrNotFound)
		check(at, broker.AsSource, false, nil)
		check(at, broker.AsDestination, false, nil)
		t.opens(at, true, broker.ErrNotFound) // still
	}},

	{name: DeadLetters, run: func(t *test) {
		for _, keeps := range []bool{true, false} {
			q := t.Queue(QueueOptions{DeadLetter: keeps})
			if got, err := t.Broker.(broker.Checker).DeadLetters(t.within(), q.Source); err != nil || got != keeps {
				t.Errorf("DeadLetters: got %v (%v), want %v", got, err, keeps)
			}
		}
	}, without: func(t *test) {
		if c, ok := t.Broker.(broker.Checker); ok {
			q := t.Queue(QueueOptions{})
			if got, err := c.DeadLetters(t.within(), q.Source); got || err != nil && !errors.Is(err, broker.ErrUnsupported) {
				t.Errorf("DeadLetters: got %v (%v), want false or ErrUnsupported", got, err)
			}
		}
	}},

	{name: LockOne, run: func(t *test) {
		name := t.ownName()
		held, release := t.lock(name)
		_, other := t.lock(name + "-other")
		other()
		t.owned(held, name)
		release()
		t.closed(held.Done(), "end of what has been released")
		_, release = t.lock(name)
		release()
		release() // once is enough, twice no harm
	}},

	{name: LockLasts, run: func(t *test) {
		name := t.ownName()
		ctx, cancel := context.WithTimeout(context.Background(), 2*t.timeout)
		held, release, err := t.Broker.(broker.Locker).Lock(ctx, name)
		if err != nil {
			t.Fatalf("Lock %s: %v", name, err)
		}
		defer release()
		cancel()
		t.owned(held, name)
	}},

	{name: LockLost, run: func(t *test) {
		name := t.ownName()
		held, release := t.lock(name)
		defer release()
		t.Cut()
		t.closed(held.Done(), "word that the lock is lost")
		_, again := t.lock(name)
		again()
	}},
}

// depth waits for these figures, as far as the broker knows them, with no consumer of others.
func (t *test) depth(q Queue, ready, unacked int64) {
	t.Helper()
	t.eventually(func() string {
		d, err := t.Broker.Depth(t.within(), q.Source)
		if err != nil {
			t.Fatalf("Depth: %v", err)
		}
		var problems []string
		compare := func(what string, got broker.Count, want int64, known bool) {
			if got.Known != known || known && got.N != want {
				problems = append(problems, fmt.Sprintf("%s is %v, want %d (known: %v)", what, got, want, known))
			}
		}
		compare("ready", d.Ready, ready, t.Knows.Ready)
		compare("unacked", d.Unacked, unacked, t.Knows.Unacked)
		compare("consumers", d.Consumers, 0, t.Knows.Consumers)
		if least, most := d.OldestAtLeast, d.OldestAtMost; least.Known != t.Knows.Oldest || least.Known && most.Known && least.D > most.D {
			problems = append(problems, fmt.Sprintf("the oldest is between %v and %v (known: %v)", least, most, t.Knows.Oldest))
		}
		if d.At.IsZero() {
			problems = append(problems, "no time of reading")
		}
		return strings.Join(problems, "; ")
	})
}

func (t *test) consumers(q Queue, want int64) {
	t.Helper()
	t.eventually(func() string {
		d, err := t.Broker.Depth(t.within(), q.Source)
		if err != nil {
			t.Fatalf("Depth: %v", err)
		}
		if d.Consumers != broker.Counted(want) {
			return fmt.Sprintf("consumers is %v, want %d", d.Consumers, want)
		}
		return ""
	})
}

func (t *test) lock(name string) (held context.Context, release func()) {
	t.Helper()
	// Longer than anything waits, so that held ends for no other reason than the one tested.
	ctx, cancel := context.WithTimeout(context.Background(), 2*t.timeout)
	t.Cleanup(cancel)
	held, release, err := t.Broker.(broker.Locker).Lock(ctx, name)
	if err != nil {
		t.Fatalf("Lock %s: %v", name, err)
	}
	return held, release
}

// owned fails unless name stays with the owner that has held, and nobody else gets it.
func (t *test) owned(held context.Context, name string) {
	t.Helper()
	waiting, cancel := context.WithTimeout(context.Background(), t.quiet)
	defer cancel()
	if _, _, err := t.Broker.(broker.Locker).Lock(waiting, name); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Lock of what is owned: got %v, want the error of its context", err)
	}
	if err := held.Err(); err != nil {
		t.Fatalf("the owner has lost it: %v", err)
	}
}
