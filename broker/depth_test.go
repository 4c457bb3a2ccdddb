package broker_test

import (
	"testing"
	"time"

	"weir/broker"
)

// Unknown is not nothing, and must not read like it.
func TestDepthReads(t *testing.T) {
	for want, got := range map[string]string{
		"unknown": broker.Count{}.String(),
		"0":       broker.Counted(0).String(),
		"12":      broker.Counted(12).String(),
		"0s":      broker.Aged(0).String(),
		"1.235s":  broker.Aged(1234567 * time.Microsecond).String(),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := (broker.Age{}).String(); got != "unknown" {
		t.Errorf("an unknown age: got %q", got)
	}
}
