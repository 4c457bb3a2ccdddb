package examples

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/configs"
	"weir/internal/cli"
)

// The files to deploy weir with use commands and flags that there are, and a configuration that weir takes.
func TestDeploy(t *testing.T) {
	command := regexp.MustCompile(`(?m)(?:^weir |/usr/local/bin/weir |"/usr/local/bin/weir", |\[weir, |CMD \[)([a-z][^\]\n]*)`)
	commands := 0
	for _, name := range []string{"weir.service", "Containerfile", "README.md"} {
		text, err := os.ReadFile(filepath.Join(folder, "deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range command.FindAllStringSubmatch(strings.ReplaceAll(string(text), `"run"`, "run"), -1) {
			args := strings.Fields(strings.NewReplacer(`"`, "", ",", " ").Replace(match[1]))
			var said strings.Builder
			if code := cli.Main(append(args, "--help"), io.Discard, &said, nil); code != 0 {
				t.Errorf("%s: weir %s: %s", name, strings.Join(args, " "), &said)
			}
			commands++
		}
	}
	if commands < 5 {
		t.Errorf("%d commands found: the test looks in the wrong place", commands)
	}
	unset := func(string) (string, bool) { return "", false }
	_, warnings, err := configs.Load(filepath.Join(folder, "deploy", "weir.yaml"), unset)
	if err != nil {
		t.Error(err)
	}
	for _, w := range warnings {
		if !strings.HasSuffix(w.Path, "-file") { // the secrets are on the host
			t.Error(w)
		}
	}
}
