package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"weir/configs"
)

// The files of a cluster behind HAProxy can be used as they are: HAProxy takes its own without a warning, with nothing in the
// environment but the nodes, and weir takes the other. tests/chaos runs HAProxy with it before real clusters.
func TestCluster(t *testing.T) {
	unset := func(string) (string, bool) { return "", false }
	if _, warnings, err := configs.Load(filepath.Join(folder, "cluster", "weir.yaml"), unset); err != nil || len(warnings) > 0 {
		t.Errorf("weir.yaml: %v%v", warnings, err)
	}
	check := exec.Command("haproxy", "-c", "-dW", "-f", filepath.Join(folder, "cluster", "haproxy.cfg"))
	check.Env = append(os.Environ(), "RMQ1=127.0.0.1", "RMQ2=127.0.0.2", "RMQ3=127.0.0.3")
	if said, err := check.CombinedOutput(); err != nil {
		t.Errorf("haproxy -c: %v\n%s", err, said)
	}
}
