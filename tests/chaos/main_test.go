// Package chaos runs links against real brokers while connections are cut.
package chaos

import (
	"testing"

	"go.uber.org/goleak"

	"weir/tests/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(lab.Suite{M: m}) }
