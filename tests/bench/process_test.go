package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cpu is what processes have used so far, user and system, from /proc/<pid>/stat. Pid 0 is none.
func cpu(pids ...int) time.Duration {
	const ticksPerSecond = 100 // USER_HZ, fixed in the kernel's interface
	var ticks int64
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// After the name in brackets: state is field 3, utime 14, stime 15.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		for _, f := range fields[11:13] {
			n, _ := strconv.ParseInt(f, 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

// gateway runs weir with a configuration.
func gateway(yaml string) mover {
	return func(b *testing.B) (int, func()) {
		b.Helper()
		folder := b.TempDir()
		config := filepath.Join(folder, "weir.yaml")
		yaml := yaml + "\nadmin: {listen: \"\", socket: " + filepath.Join(folder, "weir.sock") + "}\n"
		if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
			b.Fatal(err)
		}
		var log bytes.Buffer
		cmd := exec.Command(binary, "run", "-c", config)
		cmd.Stdout, cmd.Stderr = &log, &log
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		return cmd.Process.Pid, func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
			if b.Failed() {
				b.Logf("log of weir:\n%s", log.String())
			}
		}
	}
}
