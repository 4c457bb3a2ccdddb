// Package e2e tests the built binary against real brokers, as an operator runs it: a YAML file, a process, its log, its
// status, signals.
package e2e

import (
	"flag"
	"os"
	"testing"

	"weir/tests/built"
)

func TestMain(m *testing.M) {
	// What most of these tests do is wait: for readings, leases, silence. So more of them run at a time than there are
	// processors, unless -parallel says otherwise.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(built.Suite{M: m}.Run())
}
