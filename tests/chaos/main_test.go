// Package chaos runs links against real brokers while connections are cut.
package chaos

import (
	"testing"

	"go.uber.org/goleak"

	"weir/tests/built"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(built.Suite{M: m}) }
