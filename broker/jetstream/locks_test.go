package jetstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

// Two Brokers are two gateways: one owns a lock at a time.
func TestLockBetweenGateways(t *testing.T) {
	s := startSystem(t, 1, nil)
	one, two := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"}), open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	held, release, err := one.Lock(within(t), "weir: orders/é")
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, _, err := two.Lock(short, "weir: orders/é"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("two own it: %v", err)
	}
	if held.Err() != nil {
		t.Fatal("the owner has lost it")
	}
	release()
	_, release, err = two.Lock(within(t), "weir: orders/é")
	if err != nil {
		t.Fatal(err)
	}
	release()
}

// A renewal that the server has stored, and whose answer was lost, does not cost the owner the lock.
func TestALockSurvivesALostAnswer(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 1, nil)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	held, release, err := b.Lock(within(t), "orders")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	bucket, err := s.native(t).KeyValue(within(t), "weir-locks")
	if err != nil {
		t.Fatal(err)
	}
	const key = "p=2Eorders"
	entry, err := bucket.Get(within(t), key)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := bucket.Update(within(t), key, entry.Value(), entry.Revision())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "two more renewals", func() bool {
		if held.Err() != nil {
			t.Fatalf("the lock is lost: %v", context.Cause(held))
		}
		entry, err := bucket.Get(within(t), key)
		return err == nil && entry.Revision() >= stored+2
	})
}

// Who may not write locks is told so, and does not wait for one that it cannot get.
func TestALockThatMayNotBeWritten(t *testing.T) {
	t.Parallel()
	for name, denied := range map[string]string{"key": "$KV.weir-locks.>", "read": "$JS.API.DIRECT.GET.KV_weir-locks.>"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSystem(t, 1, func(o *server.Options) {
				o.Users = []*server.User{
					{Username: "all", Password: "p"},
					{Username: "some", Password: "p", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{denied}}}},
				}
			})
			all := open(t, jetstream.Config{URIs: s.urls(), Credentials: user("all", "p"), SubjectPrefix: "p"})
			some := open(t, jetstream.Config{URIs: s.urls(), Credentials: user("some", "p"), SubjectPrefix: "p"})
			if _, _, err := all.Lock(within(t), "orders"); err != nil {
				t.Fatal(err)
			}
			if _, _, err := some.Lock(within(t), "orders"); !errors.Is(err, broker.ErrDenied) {
				t.Errorf("got %v, want ErrDenied", err)
			}
		})
	}
}

// The key of a lock is gone when its owner has released it: nobody waits for it to expire.
func TestAReleasedLockIsFree(t *testing.T) {
	s := startSystem(t, 1, nil)
	b := open(t, jetstream.Config{URIs: s.urls(), SubjectPrefix: "p"})
	_, release, err := b.Lock(within(t), "orders")
	if err != nil {
		t.Fatal(err)
	}
	release()
	bucket, err := s.native(t).KeyValue(within(t), "weir-locks")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Get(within(t), "p=2Eorders"); !errors.Is(err, natsjs.ErrKeyNotFound) {
		t.Errorf("got %v, want no key", err)
	}
}
