package cli_test

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	"weir/internal/cli"
)

// fullDisk is what standard output leads to.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// Ensure `weir schema > file` does not end well with half a file, whatever way the answer is written.
func TestAnAnswerThatCannotBeWritten(t *testing.T) {
	for _, args := range []string{"schema", "version", "version -o json", "demo --print-config"} {
		t.Run(args, func(t *testing.T) {
			var stderr bytes.Buffer
			if code := cli.Main(strings.Fields(args), fullDisk{}, &stderr, nil); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			if got := stderr.String(); !strings.Contains(got, "no space left on device") {
				t.Errorf("standard error: %q", got)
			}
		})
	}
}
