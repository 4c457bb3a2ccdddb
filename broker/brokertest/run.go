package brokertest

import (
	"slices"
	"testing"
	"time"
)

// behaviour is one thing that the contract promises.
type behaviour struct {
	name string
	run  func(*test)
	// without says what a driver does whose broker cannot do it; nil where nothing can be asserted.
	without func(*test)
}

// Run tests the contract against one driver, each behaviour in a test of its own.
func Run(t *testing.T, h Harness) {
	t.Helper()
	h.all(t, slices.Concat(receiving, settling, sending, exchanges, refusing, fidelity, faults, opening, looking))
}

// all runs one test a behaviour.
func (h Harness) all(t *testing.T, these []behaviour) {
	t.Helper()
	for name := range h.Cannot {
		if !slices.ContainsFunc(these, func(b behaviour) bool { return b.name == name }) {
			t.Fatalf("Harness.Cannot names %q, which is not a behaviour of this suite", name)
		}
	}
	for _, b := range these {
		t.Run(b.name, func(t *testing.T) {
			if h.Parallel && b.name != Blocked {
				t.Parallel()
			}
			run := b.run
			if reason, cannot := h.Cannot[b.name]; cannot {
				t.Logf("not supported: %s", reason)
				if b.without == nil {
					return
				}
				run = b.without
			}
			h.each(t, run)
		})
	}
}

func (h Harness) each(t *testing.T, run func(*test)) {
	t.Helper()
	wrap := h.Wrap
	if wrap == nil {
		wrap = func(t *testing.T, test func(*testing.T)) { test(t) }
	}
	wrap(t, func(t *testing.T) { run(h.start(t)) })
}

func (h Harness) start(t *testing.T) *test {
	t.Helper()
	if h.Quiet == 0 {
		h.Quiet = 200 * time.Millisecond
	}
	if h.Timeout == 0 {
		h.Timeout = 30 * time.Second
	}
	return &test{T: t, Rig: h.Start(t), quiet: h.Quiet, timeout: h.Timeout}
}
