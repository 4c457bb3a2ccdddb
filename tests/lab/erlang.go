package lab

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// environment is all that the programs of a cluster see of the outside.
func (c *Cluster) environment() []string {
	return []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8",
		"HOME=" + filepath.Join(c.folder.path, "home"),
		fmt.Sprintf("ERL_EPMD_PORT=%d", c.ports.base),
		"ERL_EPMD_ADDRESS=" + loopback,
	}
}

// epmd is a cluster's port mapper. Were there none, the first node would start one that nobody stops.
type epmd struct{ process *exec.Cmd }

func (c *Cluster) startEpmd() (*epmd, error) {
	cmd := c.install.command("epmd")
	cmd.Env = c.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start epmd: %w", err)
	}
	e := &epmd{cmd}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := until(ctx, func() error { return accepts(c.ports.base) }); err != nil {
		e.stop()
		return nil, fmt.Errorf("start epmd: %w", err)
	}
	return e, nil
}

func (e *epmd) stop() {
	_ = e.process.Process.Kill()
	_ = e.process.Wait()
}

// Eval evaluates Erlang expressions, each ended by a full stop, on node i and returns the value of the last as text.
func (c *Cluster) Eval(i int, expressions string) string {
	c.t.Helper()
	value, err := c.eval(c.Nodes[i], expressions)
	if err != nil {
		c.t.Fatal(err)
	}
	return value
}

func (c *Cluster) eval(n *Node, expressions string) (string, error) {
	cmd := c.install.command("erl_call", "-sname", n.Name, "-c", c.cookie, "-e")
	cmd.Env = c.environment()
	cmd.Stdin = strings.NewReader(expressions + "\n")
	reply, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("evaluate %q on %s: %w: %s", expressions, n.Name, err, reply)
	}
	value, ok := strings.CutPrefix(strings.TrimSpace(string(reply)), "{ok, ")
	if !ok {
		return "", fmt.Errorf("evaluate %q on %s: %s", expressions, n.Name, reply)
	}
	return strings.TrimSuffix(value, "}"), nil
}

// MemoryAlarm raises the memory alarm on node i, or clears it. While it is raised the whole cluster sends connection.blocked to
// connections that publish, and reads nothing from them.
func (c *Cluster) MemoryAlarm(i int, raised bool) {
	c.t.Helper()
	limit := memoryLimit
	if raised {
		limit = 1
	}
	c.Eval(i, fmt.Sprintf(`vm_memory_monitor:set_vm_memory_high_watermark({absolute, "%d"}).`, limit))
}
