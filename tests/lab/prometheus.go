package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Prometheus is a running Prometheus.
type Prometheus struct {
	// URL is its API, beginning with http://.
	URL string

	program *program
}

// InstallPrometheus gets Debian's Prometheus and promtool into the lab's cache, unless they are there or on the machine.
// Nothing is installed on the machine and no service starts. What the tools say goes to out.
func InstallPrometheus(ctx context.Context, out io.Writer) error {
	if _, err := prometheusProgram("promtool"); err == nil {
		return nil
	}
	dir, err := prometheusCache()
	if err != nil {
		return err
	}
	return installOnce(dir, func() error {
		unlock, err := lock(filepath.Join(filepath.Dir(dir), "apt.lock"))
		if err != nil {
			return err
		}
		defer unlock()
		tmp := dir + ".unfinished"
		if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o777)); err != nil {
			return err
		}
		const unpack = `set -eu
cd "$1"
apt-get -q download prometheus || { apt-get -q update; apt-get -q download prometheus; }
dpkg-deb -x prometheus_*.deb .
rm prometheus_*.deb
`
		if err := run(exec.CommandContext(ctx, "sh", "-c", unpack, "sh", tmp), out); err != nil {
			return errors.Join(fmt.Errorf("get Prometheus: %w", err), os.RemoveAll(tmp))
		}
		return os.Rename(tmp, dir)
	})
}

func prometheusCache() (string, error) {
	cache, err := Cache()
	return filepath.Join(cache, "prometheus"), err
}

// prometheusProgram finds prometheus or promtool, in the lab's cache or on the machine.
func prometheusProgram(name string) (string, error) {
	dir, err := prometheusCache()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "usr", "bin", name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", notInstalled(name)
}

// Promtool runs promtool with input on its standard input, and returns what it says. The error tells that it has found
// something wrong.
func Promtool(t testing.TB, input io.Reader, args ...string) (string, error) {
	t.Helper()
	path, err := prometheusProgram("promtool")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = input
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// RunPrometheus starts one with a configuration file; call Stop. The error is ErrNotInstalled, or holds the end of its log.
func RunPrometheus(ctx context.Context, config string) (*Prometheus, error) {
	path, err := prometheusProgram("prometheus")
	if err != nil {
		return nil, err
	}
	program, err := newProgram()
	if err != nil {
		return nil, err
	}
	p := &Prometheus{URL: "http://" + program.at(0), program: program}
	err = program.start(ctx, p.URL+"/-/ready", path, "--config.file="+config, "--web.listen-address="+program.at(0),
		"--storage.tsdb.path="+filepath.Join(program.folder.path, "data"))
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Stop ends it.
func (p *Prometheus) Stop() { p.program.stop() }

// Query gets what the API has at a path ("query", "rules", ...) and unmarshals the data of the answer.
func (p *Prometheus) Query(ctx context.Context, path string, parameters url.Values, data any) error {
	body, err := fetch(ctx, p.URL+"/api/v1/"+path+"?"+parameters.Encode())
	if err != nil {
		return err
	}
	return json.Unmarshal(body, &struct{ Data any }{data})
}
