package jetstream

import (
	"context"
	"errors"
	"testing"
	"time"

	"weir/broker"
)

// An owner that was frozen for longer than it may trust its lease knows so at the first look, before any timer runs, and
// before the key is gone for others to take.
func TestLeaseOfAFrozenOwner(t *testing.T) {
	l := &lease{}
	l.Context, l.lose = context.WithCancelCause(t.Context())
	l.renewed(time.Now())
	if err := l.Err(); err != nil {
		t.Fatalf("fresh: %v", err)
	}
	below, cancel := context.WithCancel(l)
	defer cancel()
	l.renewed(time.Now().Add(-lockTrust - time.Millisecond))
	if lockTrust >= lockTTL {
		t.Error("the key may be gone before the owner knows")
	}
	if l.Err() == nil || !errors.Is(context.Cause(l), broker.ErrLost) {
		t.Errorf("late: got %v because of %v, want it lost", l.Err(), context.Cause(l))
	}
	select {
	case <-below.Done():
	default:
		t.Error("what was made of it goes on")
	}
}

func TestLockKeysAreLegalAndApart(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"a b", "a=20b", "a.b", "a/b", "weir: eu/orders", "é", ""} {
		key := lockKey(name)
		if other, taken := seen[key]; taken {
			t.Errorf("%q and %q share the key %s", name, other, key)
		}
		seen[key] = name
	}
}
