package built

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"weir/tests/lab"
)

// binaryVariable names the binary to the tests of a package.
const binaryVariable = "WEIR_BINARY"

// Binary is the path of weir, in a Suite.
func Binary() string { return os.Getenv(binaryVariable) }

// Suite builds weir for the tests of a package, and is the lab's suite otherwise: its TestMain passes what Run returns to
// os.Exit.
type Suite struct{ M *testing.M }

// Run runs the tests and returns their exit code.
func (s Suite) Run() int {
	code, err := s.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func (s Suite) run() (code int, err error) {
	folder, err := os.MkdirTemp("", "weir-built-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "weir")
	if out, err := exec.Command("go", "build", "-o", file, "weir").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build weir: %w\n%s", err, out)
	}
	if err := os.Setenv(binaryVariable, file); err != nil {
		return 0, err
	}
	return lab.Suite{M: s.M}.Run(), nil
}
