package federation

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// Ensure that links of one queue share its place, and that a place goes with its last link: queues come and go for years.
func TestPlacesGoWithTheirLinks(t *testing.T) {
	q := newQueues()
	kept := q.place("eu", "work")
	kept.noneFree(1, time.Now())
	for i := range 1000 {
		q.place("eu", fmt.Sprintf("session %d", i))
	}
	left := func() int {
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.places)
	}
	for deadline := time.Now().Add(time.Minute); left() > 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d places are left, and one is in use", left())
		}
		runtime.GC()
	}
	if q.place("eu", "work") != kept {
		t.Error("another place for a queue whose place is in use")
	}
	runtime.KeepAlive(kept)
}
