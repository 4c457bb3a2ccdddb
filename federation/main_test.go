package federation_test

import (
	"flag"
	"testing"

	"weir/tests/lab"
	"weir/tests/leaks"
)

func TestMain(m *testing.M) {
	// What tests with real brokers do is wait: for readings, statistics, silence. So more of them run at a time than there are
	// processors, unless -parallel says otherwise.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	leaks.Verify(lab.Suite{M: m})
}
