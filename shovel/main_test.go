package shovel_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write what the decisions are now into testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
