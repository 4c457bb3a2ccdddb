package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// InstallKeepalived gets keepalived, and curl for its check of HAProxy, from Debian where they are missing. Without root, which a
// Network takes, nothing is.
func InstallKeepalived(ctx context.Context, out io.Writer) error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, program := range []string{"keepalived", "curl"} {
		if err := aptInstall(ctx, program, out); err != nil {
			return err
		}
	}
	return nil
}

// Keepalived runs keepalived on a host with a configuration; lines in it that begin with @ and the host's name hold there.
func (h *Host) Keepalived(config string) *Daemon {
	t := h.network.t
	t.Helper()
	if _, err := exec.LookPath("keepalived"); err != nil {
		t.Fatal(notInstalled("keepalived"))
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "keepalived.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	pids := func(of string) string { return fmt.Sprintf("--%s=%s", of, filepath.Join(folder, of)) }
	return h.Run(nil, "keepalived", "--vrrp", "--use-file="+file, "--config-id="+h.Name, pids("pid"), pids("vrrp_pid"),
		"--dont-fork", "--log-console", "--log-detail", "--no-syslog", "--dont-respawn")
}
