package amqp

import (
	"strings"
	"testing"
)

// Ensure names of queues stay the same, fit and stay apart.
func TestOwnName(t *testing.T) {
	if got, want := ownName("shovel", "eu", "orders"), "weir: shovel eu/orders"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	long := strings.Repeat("x", 300)
	one, two := ownName("shovel", "eu", long+"1"), ownName("shovel", "eu", long+"2")
	if len(one) != mostShort || one == two || one != ownName("shovel", "eu", long+"1") {
		t.Errorf("%q\n%q", one, two)
	}
	if a, b := consumerTag(long), consumerTag(long); a == b || len(a) > mostShort || !strings.HasPrefix(a, ownPrefix) {
		t.Errorf("%q\n%q", a, b)
	}
}
