package leaks

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// tests are what a test package runs.
type tests func()

func (t tests) Run() int {
	t()
	return 0
}

// Ensure goroutines that end soon after the tests are waited for.
func TestGoroutinesMayTakeAMomentToEnd(t *testing.T) {
	settled{tests(func() {
		go func() { <-time.After(2 * time.Second) }()
	})}.Run()
	if err := goleak.Find(); err != nil {
		t.Error(err)
	}
}
