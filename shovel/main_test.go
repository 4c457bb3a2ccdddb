package shovel_test

import (
	"flag"
	"testing"

	"weir/tests/leaks"
)

var update = flag.Bool("update", false, "write what the decisions are now into testdata")

func TestMain(m *testing.M) { leaks.Verify(m) }
