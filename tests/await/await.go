// Package await lets tests wait for what comes about in its own time.
package await

import (
	"testing"
	"time"
)

// That waits for a condition, for limit at most; what says in words what did not come about, and follows "still not".
func That(t testing.TB, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("after %v: still not %s", limit, what)
		case <-tick.C:
		}
	}
}
