// Package examples runs every example as a reader would, with its one command, and holds its documents to what it does.
package examples

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/configs"
)

const folder = "../../examples"

// wanted is what each example says when all goes well, in this order.
var wanted = map[string][]string{
	"order-overflow": {
		`msg="overflow opens" link=orders-overflow why="ready \d+, opens at 2000"`,
		`msg="overflow shuts" link=orders-overflow why="ready \d+, shuts at 500"`,
		`10000 orders: eu consumed [1-9]\d*, us [1-9]\d*\. Lost: 0\. Twice: 0\.`,
	},
	"federated-catalog": {
		`us/exchanges/catalog +bindings 1 `,
		`us/exchanges/catalog +bindings 2 `,
		`eu has 3000 items\. Lost: 0\. Twice: 0\.`,
		`us has 1500 items\. Lost: 0\. Twice: 0\.`,
		`ap has 3000 items\. Lost: 0\. Twice: 0\.`,
	},
	"monitoring": {
		`Messages confirmed +orders-overflow: eu to us +\d`,
		`Overflow +orders-overflow +1\n`,
		`Messages ready at the source +orders-overflow: eu +\d`,
		`WeirDown +inactive`,
		`WeirOverflowOpen +(pending|firing) `,
		`WeirMessagesDropped +firing +audit gave up on messages that us would not take \(drop\)`,
	},
	"rabbitmq-to-jetstream": {
		`Amqp-Message-Id: order-0000`,
		`total +\{2 995\} \(amqp091\.Decimal\)`,
		`In the stream: 5000 orders\. Lost: 0\. Twice: 0\.`,
		`In the archive: 5000 orders\. Lost: 0\. Twice: 0\.`,
		`as they were published`,
	},
	"tracing": {
		`order-4711 has arrived in ap\.`,
		`\+0s  shop: publish orders:order\.created`,
		`\n[^\n]*  └─ weir: forward orders-overflow[^\n]* from eu, waited \S+ \(timestamp\), overflow: ready \d+, opens at 10`,
		`\n[^\n]*     └─ weir: publish orders:order\.created[^\n]* to us`,
		`\n[^\n]*        └─ weir: forward us/exchanges/orders[^\n]* from us, waited \S+ \(hop\)`,
		`\n[^\n]*           └─ weir: publish orders:order\.created[^\n]* to ap`,
		`\n[^\n]*              └─ warehouse: process orders:order\.created`,
	},
}

func TestExamples(t *testing.T) {
	programs, err := filepath.Glob(folder + "/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(programs) != len(wanted) {
		t.Errorf("%d examples, and %d are tested", len(programs), len(wanted))
	}
	for name, patterns := range wanted {
		t.Run(name, func(t *testing.T) {
			t.Run("documents", func(t *testing.T) { checkDocuments(t, name) })
			output, err := runExample(t, name)
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			if all := regexp.MustCompile("(?s)" + strings.Join(patterns, ".*")); !all.MatchString(output) {
				t.Errorf("it does not say %q:\n%s", patterns, output)
			}
		})
	}
}

// checkDocuments fails unless the README names the command, and the configuration can be used as it is, with no variable
// set.
func checkDocuments(t *testing.T, name string) {
	readme, err := os.ReadFile(filepath.Join(folder, name, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if command := "go run ./examples/" + name; !strings.Contains(string(readme), command) {
		t.Errorf("README.md does not name the command %s", command)
	}
	unset := func(string) (string, bool) { return "", false }
	if _, warnings, err := configs.Load(filepath.Join(folder, name, "weir.yaml"), unset); err != nil || len(warnings) > 0 {
		t.Errorf("weir.yaml: %v%v", warnings, err)
	}
}

func runExample(t *testing.T, name string) (output string, err error) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", binary, "weir/examples/"+name)
	if said, err := build.CombinedOutput(); err != nil {
		return string(said), err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	example := exec.CommandContext(ctx, binary)
	example.Cancel = func() error { return example.Process.Signal(os.Interrupt) }
	example.WaitDelay = 30 * time.Second
	example.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said, err := example.CombinedOutput()
	return string(said), errors.Join(err, ctx.Err())
}
