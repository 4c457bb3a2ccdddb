package broker_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/broker"
)

func TestWithLeavesTheOriginalAlone(t *testing.T) {
	original := broker.Table{"kept": int32(1), "replaced": "old"}
	got := original.With("replaced", "new").With("added", nil)
	if d := cmp.Diff(broker.Table{"kept": int32(1), "replaced": "new", "added": nil}, got); d != "" {
		t.Errorf("the copy (-want +got):\n%s", d)
	}
	if d := cmp.Diff(broker.Table{"kept": int32(1), "replaced": "old"}, original); d != "" {
		t.Errorf("the original (-want +got):\n%s", d)
	}
}

func TestWithOnNoTable(t *testing.T) {
	var none broker.Table
	if d := cmp.Diff(broker.Table{"key": true}, none.With("key", true)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
