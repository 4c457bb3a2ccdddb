package lab

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// HAProxy is a HAProxy in front of a cluster of three nodes. Its methods fail the test on error.
type HAProxy struct {
	// AMQP and Management are where it listens for the two ports of the nodes: host:port.
	AMQP, Management string

	t       testing.TB
	program *program
	args    []string
}

// InstallHAProxy gets HAProxy from Debian where it is missing. Without root the error is ErrNotInstalled, and says what to run.
func InstallHAProxy(ctx context.Context, out io.Writer) error {
	if _, err := exec.LookPath("haproxy"); err == nil {
		return nil
	}
	if os.Geteuid() != 0 {
		return notInstalled("HAProxy")
	}
	return aptInstall(ctx, "haproxy", out)
}

// StartHAProxy starts one with a configuration file, which gets the addresses of the cluster and of what HAProxy listens on
// from the environment: see examples/cluster/haproxy.cfg. It is stopped when the test ends; if the test failed, the end of
// its log is printed.
func StartHAProxy(t testing.TB, config string, c *Cluster) *HAProxy {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		t.Fatal(notInstalled("HAProxy"))
	}
	config, err = filepath.Abs(config)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newProgram()
	if err != nil {
		t.Fatal(err)
	}
	h := &HAProxy{AMQP: p.at(0), Management: p.at(1), t: t, program: p, args: []string{path, "-W", "-f", config}}
	p.env, err = h.environment(c)
	if err != nil {
		p.stop()
		t.Fatal(err)
	}
	if err := h.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of HAProxy:\n%s", p.tail())
		}
		p.stop()
	})
	return h
}

// environment is what its configuration asks for.
func (h *HAProxy) environment(c *Cluster) ([]string, error) {
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		return nil, err
	}
	env := []string{
		"AMQP_BIND=" + h.AMQP,
		"MANAGEMENT_BIND=" + h.Management,
		"STATS_BIND=" + h.program.at(2),
		"ADMIN_SOCKET=" + h.socket(),
		"RUN_AS_USER=" + me.Username,
		"RUN_AS_GROUP=" + group.Name,
	}
	for i, n := range c.Nodes {
		env = append(env,
			fmt.Sprintf("RMQ%d=%s", i+1, loopback),
			fmt.Sprintf("RMQ%d_AMQP=%d", i+1, n.AMQP),
			fmt.Sprintf("RMQ%d_MANAGEMENT=%d", i+1, n.Management),
		)
	}
	return env, nil
}

func (h *HAProxy) start() error {
	return h.program.start(context.Background(), "http://"+h.program.at(2)+"/", h.args[0], h.args[1:]...)
}

func (h *HAProxy) socket() string { return filepath.Join(h.program.folder.path, "admin.sock") }

// Kill ends it with SIGKILL, and with it every connection that goes through it.
func (h *HAProxy) Kill() { h.program.kill() }

// Restart starts it again after a Kill, on the same ports.
func (h *HAProxy) Restart() {
	h.t.Helper()
	if err := h.start(); err != nil {
		h.t.Fatal(err)
	}
}

// Reload has it read its configuration again, as `systemctl reload haproxy` does, and returns when a new process serves new
// connections. The old one keeps those that it has.
func (h *HAProxy) Reload() {
	h.t.Helper()
	before := h.pid()
	if err := h.program.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	err := until(ctx, func() error {
		info, err := h.ask("show info")
		if err == nil && pidIn(info) == before {
			err = errors.New("HAProxy has not been reloaded")
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *HAProxy) pid() string {
	h.t.Helper()
	return pidIn(h.Command("show info"))
}

// pidIn is the number of the process that has answered "show info".
func pidIn(info string) string {
	_, pid, _ := strings.Cut(info, "\nPid: ")
	pid, _, _ = strings.Cut(pid, "\n")
	return pid
}

// Command gives a command to its runtime socket ("set server amqp/rmq-1 state maint") and returns the answer.
func (h *HAProxy) Command(command string) string {
	h.t.Helper()
	answer, err := h.ask(command)
	if err != nil {
		h.t.Fatalf("HAProxy: %s: %v", command, err)
	}
	return answer
}

func (h *HAProxy) ask(command string) (string, error) {
	conn, err := net.Dial("unix", h.socket())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(conn, command); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// Stat is what it counts of a server ("amqp/rmq-1") or of what it listens on ("amqp/FRONTEND"), by HAProxy's own words: "status"
// ("UP", "DOWN", "MAINT", "DRAIN", "UP 1/2"), "scur" (connections now), "stot" (connections in all), and many more
// (https://docs.haproxy.org/2.6/management.html#9.1).
func (h *HAProxy) Stat(name string) map[string]string {
	h.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(h.Command("show stat"), "# "))).ReadAll()
	if err != nil {
		h.t.Fatalf("HAProxy: show stat: %v", err)
	}
	for _, row := range rows[1:] {
		if row[0]+"/"+row[1] != name {
			continue
		}
		stat := make(map[string]string)
		for i, column := range rows[0] {
			stat[column] = row[i]
		}
		return stat
	}
	h.t.Fatalf("HAProxy: show stat: no %s", name)
	return nil
}
