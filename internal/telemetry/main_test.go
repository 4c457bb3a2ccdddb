package telemetry_test

import (
	"testing"

	"weir/tests/lab"
	"weir/tests/leaks"
)

func TestMain(m *testing.M) { leaks.Verify(lab.Suite{M: m}) }
