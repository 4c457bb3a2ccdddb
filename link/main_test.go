package link_test

import (
	"testing"

	"go.uber.org/goleak"

	"weir/tests/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(lab.Suite{M: m}) }
