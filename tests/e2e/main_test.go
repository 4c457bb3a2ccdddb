// Package e2e tests the built binary against real brokers, as an operator runs it: a YAML file, a process, its log, its
// status, signals.
package e2e

import (
	"os"
	"testing"

	"weir/tests/built"
)

func TestMain(m *testing.M) { os.Exit(built.Suite{M: m}.Run()) }
