// Package chaos runs links against real brokers while connections are cut.
package chaos

import (
	"testing"

	"weir/tests/built"
	"weir/tests/leaks"
)

func TestMain(m *testing.M) { leaks.Verify(built.Suite{M: m}) }
