package shovel_test

import (
	"slices"
	"testing"

	"weir/broker"
)

// inOrder fails unless the messages of one origin come in their order.
func inOrder(t *testing.T, where string, ms []*broker.Message) {
	t.Helper()
	for i := 1; i < len(ms); i++ {
		if string(ms[i-1].Body) >= string(ms[i].Body) {
			t.Errorf("%s: %s before %s", where, ms[i-1].Body, ms[i].Body)
			return
		}
	}
}

// once fails unless each body came exactly once, wherever that was.
func once(t *testing.T, want []string, got ...[]*broker.Message) {
	t.Helper()
	if lost, extra := tally(want, got...); lost > 0 || extra > 0 {
		t.Errorf("of %d messages %d are lost, and %d came more than once", len(want), lost, extra)
	}
}

// atLeastOnce fails unless each body came.
func atLeastOnce(t *testing.T, want []string, got ...[]*broker.Message) {
	t.Helper()
	if lost, _ := tally(want, got...); lost > 0 {
		t.Errorf("of %d messages %d are lost", len(want), lost)
	}
}

// tally counts what did not come and what came beyond the first time.
func tally(want []string, got ...[]*broker.Message) (lost, extra int) {
	seen := map[string]int{}
	for _, m := range slices.Concat(got...) {
		seen[string(m.Body)]++
		extra++
	}
	for _, body := range want {
		if seen[body] == 0 {
			lost++
		} else {
			extra--
		}
	}
	return lost, extra
}
